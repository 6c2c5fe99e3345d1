import {randomBytes} from 'node:crypto'
import {readdirSync, statSync} from 'node:fs'
import {truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {passed, skipped, verdictOf, type Verdict} from 'cc-core/report'
import type {ImageDirectory} from 'cc-core/manifest'
import {makeVariant} from 'cc-core/stage'
import {planStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch, developmentKeys} from 'cc-core/vm'

import {describeExit} from '../../image/console.js'
import {searchFile, writtenForms} from '../../image/search.js'
import type {Bench} from '../bench.js'
import {firstDisk, layeredDisk} from '../machine.js'
import {broken, defended, type Manipulation} from '../manipulation.js'
import {hardeningOf, outboundPorts} from '../ports.js'
import {guestMac, HostileHost, type Attempt} from '../wire/host.js'
import {layWire} from '../wire/wire.js'

const marker = 'CC-PROBE '
const host4 = '10.77.0.2'
const host6 = '2001:db8:77::2'
/** Ports that nobody allows. Not 53: our own host is the name server that DHCP names, and may be asked. */
const forbidden = [22, 80, 443, 853, 4444, 31_337]

/** What the probe said: by name. */
type Facts = Readonly<Record<string, string>>

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

async function makeCopy({subject}: Bench, canary: Buffer, control: Buffer): Promise<ImageDirectory> {
  const {image, config, scratch, signal} = subject
  const mounts = image.manifest.partitions.filter(({name}) => name !== 'cc-root' && name !== 'cc-ro')
  const folders = new Set([hardeningOf(subject).workspace, config.flare.workspace, ...mounts.map(({mount}) => mount)])
  return makeVariant(
    {
      image,
      rootKey: image.file('keys/root.key'),
      folder: join(scratch, 'inside'),
      change: async (tree) => [
        await planStep('attack/probe', {
          ...{tree, canary: canary.toString(), control: control.toString(), folder: [...folders]},
          ...{
            'host-four': host4,
            'host-six': host6,
            allowed: outboundPorts(subject).map(String),
            forbidden: forbidden.map(String),
          },
        }),
      ],
    },
    {reporter: new SilentReporter(), signal},
  )
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
  const wire = await layWire()
  try {
    const host = new HostileHost(wire, {hostile: true})
    const {accelerator} = await settings.accelerator()
    const result = await bootAndWatch({
      vm: {
        ...{accelerator, memoryMiB: settings.memoryMiB, cpus: 1, kernel: copy.file('vmlinuz')},
        ...{initrd: copy.file('initrd.img'), cmdline: copy.manifest.cmdline, more: wire.words(guestMac)},
        disks: [firstDisk(disk), {file: control, serial: 'cc-control', format: 'raw', mode: 'read-write'}],
        keys: developmentKeys(copy, copy.file('keys/root.key')),
      },
      // To its own end: what is written at shutdown counts, too.
      ...{timeoutMs: settings.timeoutMs + 300_000, signal: subject.signal},
      until: (line) => line.startsWith(`${marker}end=`),
      lingerMs: 60_000,
      logFile: join(folder, 'console.log'),
    })
    if (result.matched === null) throw new Error(`the probe does not come to its end: ${describeExit(result)}`)
    return {...texts, folder, lines: result.lines, facts: factsOf(result.lines), attempts: host.attempts}
  } finally {
    wire.close()
  }
}

export function factsOf(lines: readonly string[]): Facts {
  const facts: Record<string, string> = {}
  for (const line of lines) {
    const match = /^CC-PROBE ([\w.-]+)=(.*)$/.exec(line)
    if (match?.[1] !== undefined) facts[match[1]] = (match[2] ?? '').trim()
  }
  return facts
}

const words = (text: string | undefined) => (text ?? '').split(' ').filter(Boolean)

/** A fact of the machine itself, and what it has to be. */
const fact = (
  inside: Inside,
  {id, title, action}: Pick<Manipulation, 'id' | 'title' | 'action'>,
  judge: (facts: Facts, probe: Probe, bench: Bench) => Verdict,
  quick = false,
): Manipulation => ({
  ...{id, title, action, quick, group: 'inside'},
  async run(bench) {
    await bench.baseline()
    const probe = await inside.probe()
    return judge(probe.facts, probe, bench)
  },
})

/** Nothing may be named but what is listed. */
function onlyListed(found: string | undefined, listed: readonly string[], nothing: string): Verdict {
  if (found === undefined) return broken('the probe did not say')
  const others = words(found).filter((word) => !listed.includes(word))
  if (others.length > 0) return broken(others.join(', '))
  return defended('powerless', words(found).length === 0 ? nothing : words(found).join(', '))
}

const is = (facts: Facts, key: string, expected: string, why: string): Verdict =>
  facts[key] === expected
    ? defended('powerless', why)
    : broken(`${key} is '${facts[key] ?? 'missing'}', not '${expected}'`)

/** Values that are read back in the running machine. https://docs.kernel.org/admin-guide/sysctl/ */
const sysctls: Readonly<Record<string, readonly string[]>> = {
  'kernel.modules_disabled': ['1'],
  'kernel.sysrq': ['0'],
  'kernel.kptr_restrict': ['1', '2'],
  'kernel.dmesg_restrict': ['1'],
  'kernel.kexec_load_disabled': ['1'],
  'kernel.unprivileged_bpf_disabled': ['1', '2'],
  'kernel.yama.ptrace_scope': ['1', '2', '3'],
  'kernel.randomize_va_space': ['2'],
  'fs.suid_dumpable': ['0'],
  'fs.protected_symlinks': ['1'],
  'fs.protected_hardlinks': ['1'],
  'dev.tty.ldisc_autoload': ['0'],
  'net.ipv4.ip_forward': ['0'],
  'net.ipv4.conf.all.rp_filter': ['1', '2'],
  'net.ipv4.conf.all.accept_redirects': ['0'],
  'net.ipv4.conf.all.accept_source_route': ['0'],
}

export function insideManipulations(inside: Inside): Manipulation[] {
  const root = 'looks as root, in a copy of the image with one unit more'
  const tries = 'tries it as root, in a copy of the image with one unit more'
  return [
    fact(
      inside,
      {id: 'inside-setuid', title: 'No program gains privileges but those listed', action: root},
      (facts, _, bench) =>
        onlyListed(facts['setuid'], hardeningOf(bench.subject).setuid, 'no file is setuid or setgid'),
    ),
    fact(
      inside,
      {id: 'inside-accounts', title: 'No account has a shell or a password', action: root},
      (facts) =>
        facts['roots'] === 'root'
          ? onlyListed(`${facts['shells'] ?? '?'} ${facts['passwords'] ?? '?'}`, [], 'nologin and locked, all of them')
          : broken(`accounts with the number 0: ${facts['roots'] ?? 'none'}`),
      true,
    ),
    fact(
      inside,
      {id: 'inside-programs', title: 'No program is left to log in, to build or to debug', action: root},
      (facts) =>
        onlyListed(facts['programs'], [], 'no ssh, sudo, su, login, getty, cloud-init, compiler, debugger, apt'),
    ),
    fact(inside, {id: 'inside-logins', title: 'Nobody waits at a terminal', action: root}, (facts) =>
      onlyListed(`${facts['login-processes'] ?? '?'} ${facts['terminals'] ?? '?'}`, [], 'no process reads a terminal'),
    ),
    fact(inside, {id: 'inside-units', title: 'Units that offer a shell are masked', action: root}, (facts) => {
      const loose = words(facts['units']).filter((unit) => !/:(masked|not-found)$/.test(unit))
      const own = loose.filter((unit) => !/^(emergency|rescue)\.service:loaded$/.test(unit))
      if (own.length > 0) return broken(own.join(', '))
      return loose.length === 0 || facts['emergency'] === '/usr/lib/cc/power-off'
        ? defended('powerless', 'masked, or power off in its place')
        : broken(`emergency.service runs ${facts['emergency'] ?? 'something'}`)
    }),
    fact(inside, {id: 'inside-swap', title: 'Swap cannot be turned on', action: tries}, (facts) =>
      is(facts, 'swap', '', 'swapon has no effect, or is not there'),
    ),
    fact(inside, {id: 'inside-core', title: 'No core is written', action: tries}, (facts) =>
      is(
        facts,
        'cores',
        '',
        `a program that crashes leaves nothing behind; core_pattern: ${facts['core-pattern'] ?? ''}`,
      ),
    ),
    fact(inside, {id: 'inside-modules', title: 'No kernel module is loaded', action: tries}, (facts) =>
      is(facts, 'module-loaded', '0', 'modprobe and insmod are refused'),
    ),
    fact(inside, {id: 'inside-memory', title: 'The memory of the kernel cannot be reached', action: tries}, (facts) =>
      /\[(integrity|confidentiality)\]/.test(facts['lockdown'] ?? '')
        ? is(facts, 'dev-mem', 'no', `lockdown is ${facts['lockdown'] ?? ''}`)
        : broken(`lockdown is '${facts['lockdown'] ?? ''}'`),
    ),
    fact(inside, {id: 'inside-sysctl', title: 'The sysctls are in force', action: root}, (facts) => {
      const found = Object.entries(sysctls).filter(([key]) => facts[`sysctl.${key}`] !== undefined)
      const wrong = found.filter(([key, allowed]) => !allowed.includes(facts[`sysctl.${key}`] ?? ''))
      if (wrong.length > 0) return broken(wrong.map(([key]) => `${key} is ${facts[`sysctl.${key}`] ?? ''}`).join(', '))
      return found.length < 10 ? broken('the probe did not say') : defended('powerless', `${found.length} read back`)
    }),
    fact(inside, {id: 'inside-root', title: 'The root file system cannot be changed', action: tries}, (facts) =>
      facts['lower'] === ''
        ? skipped('the root of this image is not read-only')
        : is(facts, 'lower-written', 'no', 'read-only below the layer in memory'),
    ),
    fact(
      inside,
      {
        id: 'inside-mounts',
        title: 'Only disks that boot.conf names are mounted, without devices and setuid',
        action: root,
      },
      (facts, _, bench) => {
        const known = bench.subject.image.manifest.partitions.map(({mount}) => mount)
        const disks = words(facts['mounted-disks']).filter(
          (text) =>
            ![...known, '/run/cc/lower'].includes(text.split(':')[1] ?? '') && !/:\/(opt|vault|mnt)\//.test(text),
        )
        const loose = words(facts['loose-mounts'])
        const problems = [
          ...disks.map((text) => `${text} is mounted`),
          ...loose.map((text) => `${text} lets devices or setuid in`),
        ]
        return problems.length > 0 ? broken(problems.join('; ')) : defended('powerless', facts['mounted-disks'] ?? '')
      },
    ),
    fact(
      inside,
      {
        id: 'outbound-forbidden',
        title: 'A port that is not allowed cannot be reached from inside',
        action: `connects as root to the ports ${forbidden.join(', ')} on IPv4 and IPv6; everybody outside would answer`,
      },
      (facts, {attempts}, bench) => {
        const allowed = outboundPorts(bench.subject)
        const said = words(`${facts['out-forbidden'] ?? '?:open'} ${facts['out-forbidden6'] ?? '?:open'}`)
        const open = said.filter((text) => text.endsWith(':open'))
        // What the machine itself says is not enough: the wire is asked, too.
        const seen = attempts.filter(({protocol, port}) => protocol === 'tcp' && !allowed.includes(port))
        if (open.length > 0 || seen.length > 0)
          return broken(
            [...open, ...seen.map(({address, port}) => `a packet to ${address}:${port} is on the wire`)].join(', '),
          )
        return defended('powerless', `${said.length} attempts, no packet of them is on the wire`)
      },
      true,
    ),
    fact(
      inside,
      {
        id: 'outbound-allowed',
        title: 'A port that is allowed can be reached from inside',
        action: 'connects as root to each allowed port',
      },
      (facts, {attempts}, bench) => {
        const allowed = outboundPorts(bench.subject)
        if (allowed.length === 0) return skipped('this image allows none at any address')
        const said = words(facts['out-allowed'])
        const problems = allowed.filter(
          (port) => !said.includes(`${port}:open`) || !attempts.some((one) => one.port === port),
        )
        return problems.length === 0
          ? passed(`${allowed.join(', ')}: connected`)
          : broken(`not connected: ${problems.join(', ')}`)
      },
    ),
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
        await bench.baseline()
        return searchSecret(await inside.probe())
      },
    },
  ]
}

/** The search of everything that is left; and of a text that has to be found, so that it is known to see something. */
async function searchSecret({facts, canary, control, folder, lines}: Probe): Promise<Verdict> {
  const written = words(facts['canary-written'])
  if (written.length < 3) return broken(`the machine wrote it only to ${written.join(', ') || 'nowhere'}`)
  const needles = {...writtenForms('the secret', canary), control}
  const files = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
  const found: string[] = []
  let seen = false
  for (const file of files) {
    for (const name of await searchFile(file, needles)) {
      if (name === 'control') seen = true
      else found.push(`${file.split('/').at(-1) ?? file} has ${name}`)
    }
  }
  if (lines.some((line) => line.includes(canary.toString()))) found.push('the console shows it')
  const verdict = verdictOf(found, '')
  if (verdict.status === 'failed') return broken(verdict.detail)
  if (!seen) return broken('the text that had to be found was not found: the search proves nothing')
  const names = files.map((file) => file.split('/').at(-1)).join(', ')
  return defended(
    'powerless',
    `written to ${written.join(', ')}; not in ${names}, in five forms. A control text was found`,
  )
}
