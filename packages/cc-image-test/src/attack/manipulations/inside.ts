import {randomBytes} from 'node:crypto'
import {accessSync, constants, readdirSync, statSync} from 'node:fs'
import {mkdir, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {skipped, type Verdict} from 'cc-core/report'
import type {ImageDirectory} from 'cc-core/manifest'
import {makeVariant} from 'cc-core/build'
import {planStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch, developmentKeys, type VmDisk} from 'cc-core/vm'

import {searchFile, writtenForms} from '../../image/search.js'
import {judgeCanary, type CanarySearch} from '../../judges/canary.js'
import {describeExit} from '../../judges/console-text.js'
import {factsOf, wordsOf, type Facts} from '../../judges/facts.js'
import {
  judgeAccounts,
  judgeCores,
  judgeCredentials,
  judgeDataDisks,
  judgeDuties,
  judgeFirewall,
  judgeGenerators,
  judgeKernelMemory,
  judgeListeners,
  judgeLogins,
  judgeModules,
  judgeMounts,
  judgeOverlay,
  judgePrograms,
  judgeRoot,
  judgeSetuid,
  judgeShellUnits,
  judgeSite,
  judgeSwap,
  judgeSysctls,
  judgeUdev,
  judgeVsock,
  sysctls,
  type DataDisks,
  type ExpectedMounts,
} from '../../judges/inside.js'
import {judgeAllowed, judgeForbidden, type Attempt} from '../../judges/network.js'
import type {Bench} from '../bench.js'
import {firstDisk, layeredDisk} from '../machine.js'
import type {Manipulation} from '../manipulation.js'
import {forbiddenPorts, hardeningOf, inboundRules, outboundOf, outboundPorts} from '../ports.js'
import {guestMac, HostileHost} from '../wire/host.js'
import {layWire} from '../wire/wire.js'
import {hostileDisk, types} from './devices.js'

const marker = 'CC-PROBE '
const host4 = '10.77.0.2'
const host6 = '2001:db8:77::2'
/** Ports that hardly anybody allows. Not 53: our own host is the name server that DHCP names, and may be asked. */
const forbidden = [22, 80, 443, 853, 4444, 31_337]
/** Those that are closed at either address of ours: the judge asks the rules what each of them is to be. */
const notAllowed = (subject: Bench['subject']) => [
  ...new Set([host4, host6].flatMap((address) => forbiddenPorts(subject, address, forbidden, ['tcp', 'udp']))),
]

export interface Probe {
  facts: Facts
  attempts: readonly Attempt[]
  canary: Buffer
  control: Buffer
  /** Where everything lies that the host can read of this machine. */
  folder: string
  lines: readonly string[]
}

/** The copy of the image with one unit more, and its one boot. */
export interface Inside {
  variant: () => Promise<ImageDirectory>
  probe: () => Promise<Probe>
}

export function lookInside(bench: Bench): Inside {
  const canary = Buffer.from(`CC-CANARY-${randomBytes(16).toString('hex')}`)
  const control = Buffer.from(`CC-CONTROL-${randomBytes(16).toString('hex')}`)
  let making: Promise<ImageDirectory> | undefined
  let probing: Promise<Probe> | undefined
  const variant = () => (making ??= makeCopy(bench, canary, control))
  return {variant, probe: () => (probing ??= boot(bench, variant, {canary, control}))}
}

/** Partitions that are not of the image's own files. */
const ownPartitions = ({image}: Bench['subject']) =>
  image.manifest.partitions.filter(({name}) => name !== 'cc-root' && name !== 'cc-ro')

/** Places on a disk that can be written: the workspace, and whatever partition is not sealed. */
function writtenPlaces({subject}: Bench): string[] {
  const mounts = ownPartitions(subject).filter(({integrity}) => integrity !== 'verity')
  return [...new Set([hardeningOf(subject).workspace, ...mounts.map(({mount}) => mount)])]
}

async function makeCopy({subject}: Bench, canary: Buffer, control: Buffer): Promise<ImageDirectory> {
  const {image, config, scratch, signal} = subject
  const mounts = ownPartitions(subject).map(({mount}) => mount)
  const folders = new Set([hardeningOf(subject).workspace, config.flare.workspace, ...mounts])
  return makeVariant(
    {
      image,
      rootKey: image.file('keys/root.key'),
      folder: join(scratch, 'inside'),
      change: async (tree) => [
        await planStep('attack/probe', {
          ...{tree, canary: canary.toString(), control: control.toString(), folder: [...folders]},
          sysctl: Object.keys(sysctls),
          ...{
            'host-four': host4,
            'host-six': host6,
            allowed: outboundPorts(subject, host4).map(String),
            forbidden: notAllowed(subject).map(String),
          },
        }),
      ],
    },
    {reporter: new SilentReporter(), signal},
  )
}

/** What the host offers by SMBIOS and by fw_cfg; a machine that takes one has it as a file. */
const offered = {smbios: 'cc.probe.smbios', fwCfg: 'cc.probe.fw-cfg'}
const credentialWords = [
  ...['-smbios', `type=11,value=io.systemd.credential:${offered.smbios}=taken`],
  ...['-fw_cfg', `name=opt/io.systemd.credentials/${offered.fwCfg},string=taken`],
]

const hasVsock = canUse('/dev/vhost-vsock')

function canUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Devices of the host that a sound machine leaves alone: a folder, two consoles, a USB stick, and a vsock where the host can. */
async function deviceWords(folder: string): Promise<string[]> {
  const shared = join(folder, 'shared')
  await mkdir(shared)
  const stick = await plainDisk(folder, 'stick', true)
  return [
    ...['-virtfs', `local,path=${shared},mount_tag=owned,security_model=none`],
    ...['-device', 'virtio-serial-pci', '-chardev', `file,id=hvc,path=${join(folder, 'hvc0')}`],
    ...['-device', 'virtconsole,chardev=hvc', '-serial', `file:${join(folder, 'ttyS1')}`],
    ...['-device', 'qemu-xhci,id=usb', '-drive', `if=none,id=stick,format=raw,file=${stick}`],
    ...['-device', 'usb-storage,bus=usb.0,drive=stick'],
    // No two machines of a host have the same number.
    ...(hasVsock ? ['-device', `vhost-vsock-pci,guest-cid=${10_000 + process.pid}`] : []),
  ]
}

/** Partitions with well-known types, each with a sound file system: whoever mounts by them succeeds. */
async function autoDisk(folder: string): Promise<VmDisk> {
  const content = await plainDisk(folder, 'auto-content', true)
  const partitions = (['root', 'home', 'var'] as const).map((name) => ({type: types[name], name, content}))
  return {file: await hostileDisk(folder, 'auto', partitions), serial: 'cc-auto', format: 'raw', mode: 'read-write'}
}

async function plainDisk(folder: string, name: string, filesystem: boolean): Promise<string> {
  const file = join(folder, `${name}.raw`)
  await writeFile(file, '')
  await truncate(file, 16 * 1024 ** 2)
  if (filesystem) await run(['mkfs.ext4', '-q', '-F', file])
  return file
}

const serials = {input: 'nvflare-input', output: 'nvflare-output', log: 'nvflare-log'} as const

/** The data disks that the machine is offered. One that it would only open with a key that is not here is left out. */
function dataDisksOf({config}: Bench['subject']): DataDisks {
  const {role, mounts} = config.hardening
  const own = role === 'server' ? 'output' : 'input'
  const hasKey = mounts[`${own}Key`] !== null
  const offered = [serials.input, serials.output, serials.log].filter((serial) => !hasKey || serial !== serials[own])
  const place = own === 'input' ? mounts.input : (mounts.output ?? '/mnt/data/nvflare/output')
  return {offered, role, place: hasKey ? null : place}
}

/** Disks that the host is meant to read, and where each is mounted: the output of a server without a key for it. */
function givenDisks(subject: Bench['subject']): {file: string; place: string}[] {
  const {role, place} = dataDisksOf(subject)
  return role === 'server' && place !== null ? [{file: `${serials.output}.raw`, place}] : []
}

/** @param folder everything in it is searched for the secret */
async function makeDataDisks(offered: readonly string[], folder: string): Promise<VmDisk[]> {
  const disks: VmDisk[] = []
  for (const serial of offered) {
    // The log disk has no file system.
    const file = await plainDisk(folder, serial, serial !== serials.log)
    disks.push({file, serial, format: 'raw', mode: 'read-write'})
  }
  return disks
}

async function boot(
  bench: Bench,
  variant: Inside['variant'],
  texts: Pick<Probe, 'canary' | 'control'>,
): Promise<Probe> {
  const {subject, settings} = bench
  const copy = await variant()
  const folder = join(subject.scratch, 'attack/inside')
  const disk = await layeredDisk(copy.file(`${copy.manifest.name}.qcow2`), folder)
  const control = join(folder, 'control.raw')
  await writeFile(control, '')
  await truncate(control, 1024 * 1024)
  const data = [...(await makeDataDisks(dataDisksOf(subject).offered, folder)), await autoDisk(folder)]
  const devices = await deviceWords(folder)
  const wire = await layWire()
  try {
    const host = new HostileHost(wire, {hostile: true})
    const {accelerator} = await settings.accelerator()
    const result = await bootAndWatch({
      vm: {
        ...{accelerator, memoryMiB: settings.memoryMiB, cpus: 1, kernel: copy.file('vmlinuz')},
        ...{initrd: copy.file('initrd.img'), cmdline: copy.manifest.cmdline},
        more: [...wire.words(guestMac), ...credentialWords, ...devices],
        disks: [firstDisk(disk), {file: control, serial: 'cc-control', format: 'raw', mode: 'read-write'}, ...data],
        keys: developmentKeys(copy, copy.file('keys/root.key')),
      },
      // To its own end: what is written at shutdown counts, too.
      ...{timeoutMs: settings.timeoutMs + 300_000, signal: subject.signal},
      until: (line) => line.startsWith(`${marker}end `),
      lingerMs: 60_000,
      logFile: join(folder, 'console.log'),
    })
    if (result.matched === null) throw new Error(`the probe does not come to its end: ${describeExit(result)}`)
    const facts = factsOf(result.lines)
    if (facts['tools-missing'] !== '')
      throw new Error(`the probe cannot look around: the image lacks ${facts['tools-missing'] ?? 'what it needs'}`)
    return {...texts, folder, lines: result.lines, facts, attempts: host.attempts}
  } finally {
    wire.close()
  }
}

/** A look at the machine itself, and the judge of what it shows. */
const look = (
  inside: Inside,
  {id, title, action, quick = false}: Pick<Manipulation, 'id' | 'title' | 'action' | 'quick'>,
  judge: (probe: Probe, bench: Bench) => Verdict,
): Manipulation => ({
  ...{id, title, action, quick, group: 'inside'},
  // A machine that does not come up has no probe that ends: no other boot has to tell so.
  run: async (bench) => judge(await inside.probe(), bench),
})

/**
 * Where the disks of an image are mounted: what its manifest names, the layer below the root, and the data disk. The place
 * of results is bound from the workspace's partition, or from the output (scripts/guest/opt-flare/workspace.sh).
 */
function knownMounts({subject}: Bench): ExpectedMounts {
  const {partitions} = subject.image.manifest
  const {place, role} = dataDisksOf(subject)
  const data = place === null ? [] : [place]
  const own = partitions.filter(({name}) => ['cc-app', 'cc-out'].includes(name)).map(({mount}) => mount)
  return {
    mounts: [...partitions.map(({mount}) => mount), '/run/cc/lower', ...data],
    bound: {'/run/nvflare/results': [...own, ...(role === 'server' ? data : [])]},
  }
}

export function insideManipulations(inside: Inside): Manipulation[] {
  const root = 'looks as root, in a copy of the image with one unit more'
  const tries = 'tries it as root, in a copy of the image with one unit more'
  const looks = (id: string, title: string, judge: (probe: Probe, bench: Bench) => Verdict, quick = false) =>
    look(inside, {id, title, action: root, quick}, judge)
  const attempts = (id: string, title: string, judge: (probe: Probe, bench: Bench) => Verdict) =>
    look(inside, {id, title, action: tries}, judge)
  return [
    looks('inside-duties', 'Every duty of the lock-down came to its end', ({facts}) => judgeDuties(facts)),
    looks('inside-setuid', 'No program gains privileges but those listed', ({facts}, {subject}) =>
      judgeSetuid(facts, {allowed: hardeningOf(subject).setuid}),
    ),
    looks(
      'inside-accounts',
      'No account has a shell, a password or a key to log in with',
      ({facts}) => judgeAccounts(facts),
      true,
    ),
    looks('inside-programs', 'No program is left to log in, to build or to debug', ({facts}) => judgePrograms(facts)),
    look(
      inside,
      {id: 'inside-logins', title: 'Nobody waits at a terminal', action: 'adds the consoles ttyS1 and hvc0'},
      ({facts}) => judgeLogins(facts, {port: 'ttyS1'}),
    ),
    looks('inside-units', 'Units that offer a shell are masked', ({facts}) => judgeShellUnits(facts)),
    looks('inside-swap', 'Swap is off, and no program turns it on', ({facts}) => judgeSwap(facts)),
    attempts('inside-core', 'No core is written', ({facts}) => judgeCores(facts)),
    attempts('inside-modules', 'No kernel module is loaded', ({facts}) => judgeModules(facts)),
    attempts('inside-memory', 'The memory of the kernel cannot be reached', ({facts}, {subject}) =>
      judgeKernelMemory(facts, {lockdown: hardeningOf(subject).lockdown}),
    ),
    looks('inside-sysctl', 'The sysctls are in force', ({facts}) => judgeSysctls(facts)),
    attempts('inside-root', 'The root file system cannot be changed', ({facts}) => judgeRoot(facts)),
    look(
      inside,
      {
        id: 'inside-mounts',
        title: 'Only disks that boot.conf names are mounted, and no folder of the host; without devices and setuid',
        action: 'offers a folder by 9p, a USB stick, and a disk with partitions of well-known types',
      },
      ({facts}, bench) => judgeMounts(facts, knownMounts(bench)),
    ),
    looks('inside-udev', 'No rule of udev looks into the disks of the host', ({facts}) => judgeUdev(facts)),
    look(
      inside,
      {
        id: 'inside-data-disks',
        title: 'Data disks of the host are mounted for their role alone, and nothing on them is followed or executed',
        action: 'attaches the disks nvflare-input, nvflare-output and nvflare-log',
      },
      ({facts}, {subject}) => judgeDataDisks(facts, dataDisksOf(subject)),
    ),
    look(
      inside,
      {
        id: 'inside-credentials',
        title: 'No credential of the host arrives',
        action: `passes ${offered.smbios} by SMBIOS and ${offered.fwCfg} by fw_cfg`,
      },
      ({facts}) => judgeCredentials(facts, offered),
    ),
    looks('inside-generators', 'No generator makes units of what the host says', ({facts}) => judgeGenerators(facts)),
    looks('inside-overlay', 'What is written to the root has a bound', ({facts}, {subject}) =>
      judgeOverlay(facts, {size: subject.config.layout.overlaySize}),
    ),
    looks('inside-site', 'Start-up kit and keys of the site are closed to others', ({facts}) => judgeSite(facts)),
    looks('inside-listeners', 'No program listens but at the allowed ports', ({facts}, {subject}) =>
      judgeListeners(facts, {allowed: inboundRules(subject)}),
    ),
    look(
      inside,
      {
        id: 'inside-vsock',
        title: 'No program holds a socket of vsock',
        action: hasVsock ? 'attaches vhost-vsock' : 'looks as root; this host has no vsock to offer',
      },
      ({facts}) => judgeVsock(facts),
    ),
    looks('inside-firewall', 'The firewall drops what no rule accepts', ({facts}) => judgeFirewall(facts)),
    look(
      inside,
      {
        id: 'outbound-forbidden',
        title: 'A port that is not allowed cannot be reached from inside',
        action: `connects as root to the ports ${forbidden.join(', ')}, and to those of rules for other networks, by TCP and sends datagrams to them, on IPv4 and IPv6; everybody outside would answer`,
        quick: true,
      },
      (probe, {subject}) =>
        judgeForbidden(probe, {...outboundOf(subject), ports: notAllowed(subject), four: host4, six: host6}),
    ),
    {
      ...{id: 'outbound-allowed', group: 'inside', title: 'A port that is allowed can be reached from inside'},
      action: 'connects as root to each allowed port',
      run: async (bench) => {
        const ports = outboundPorts(bench.subject, host4)
        if (ports.length === 0) return skipped('this image allows none at our address')
        return judgeAllowed(await inside.probe(), {ports})
      },
    },
    {
      ...{
        id: 'canary',
        group: 'secret',
        quick: true,
        title: 'A secret of the machine is on no byte that the host can read',
      },
      action:
        'searches all disks after the machine is off, the console and all that QEMU said, for a text that a program of the machine wrote to every folder, to the journal and to the kernel log',
      run: async (bench) => {
        const probe = await inside.probe()
        const control = {text: 'control', file: 'control.raw'}
        const expected = {
          ...{secret: probe.canary.toString(), places: writtenPlaces(bench), control},
          files: [
            'disk.qcow2',
            'control.raw',
            'console.log',
            ...dataDisksOf(bench.subject).offered.map((serial) => `${serial}.raw`),
          ],
          given: givenDisks(bench.subject),
        }
        return judgeCanary(await searchSecret(probe), expected)
      },
    },
  ]
}

/** Search everything that is left of the machine. */
async function searchSecret({facts, canary, control, folder, lines}: Probe): Promise<CanarySearch> {
  const needles = {...writtenForms('the secret', canary), control}
  const searched = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile())
  const found: {file: string; text: string}[] = []
  for (const file of searched)
    for (const text of await searchFile(join(folder, file), needles)) found.push({file, text})
  const [written, logged] = [wordsOf(facts['canary-written']), wordsOf(facts['canary-logged'])]
  return {written, logged, searched, found, console: lines}
}
