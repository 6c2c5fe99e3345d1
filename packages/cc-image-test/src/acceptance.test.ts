import {execFileSync} from 'node:child_process'
import {chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {runTasks} from 'cc-core/build'
import {encodeImageConfig, parseConfig} from 'cc-core/config'
import {describeFile, encodeManifest, type Manifest} from 'cc-core/manifest'
import {standInFirmware} from 'cc-core/platform'
import {planStep, scriptsDirectory, stepTask} from 'cc-core/steps'
import {SilentReporter, type ProgressEvent, type Reporter} from 'cc-core/ui'
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {changeCpus, changeCpuType} from './acceptance/changes.js'
import {testAcceptance, type AcceptanceOptions} from './services/acceptance.js'

// No machine here has SEV-SNP. A program stands in for QEMU, processor, guest and broker: it "measures" what it is
// launched with, and says what a guest would. What is tested is the kit: each row has to be green on a stand-in that does
// it right, and red on one that does it wrong.
let root: string
let image: string
let newer: string
const path = (...names: string[]) => join(root, ...names)
const mib = 1024 ** 2

const qemu = `#!/usr/bin/env python3
import hashlib, json, os, re, subprocess, sys, time

here = os.path.dirname(os.path.abspath(__file__))
words = sys.argv[1:]
after = lambda option: words[words.index(option) + 1]
text = " ".join(words)
state = json.load(open(here + "/state.json"))

def say(*lines, up=False):
    print("booting", *lines, sep="\\n", flush=True)
    if up:
        time.sleep(60)
    sys.exit(0)

ready = ("cc: hardened", "cc: ready")
if state["mode"] == "takes all":
    say(*ready, up=True)
if state["mode"] == "says nothing":
    sys.exit(0)
if state["mode"] == "login":
    say(*ready, "cc login: ", up=True)
denied = "cc: FAILED: cc-root: no key from 'kbs': the key broker releases no key after 3 attempts: denied by its policy; powering off"
if state["mode"] == "refuses all":
    say(denied)
if state["mode"] == "fails":
    sys.exit("qemu-system-x86_64: Could not access KVM kernel module: No such file or directory")

digest = hashlib.sha256()
for option in ("-bios", "-kernel", "-initrd"):
    digest.update(open(after(option), "rb").read())
digest.update(after("-smp").encode() + after("-cpu").encode())
known = digest.hexdigest() in state["released"].values()
good = "policy=0x30000," in text and state["hostData"] in text
if state["mode"] == "fails when changed" and not (known and good and "-netdev" in words and after("-append") == state["cmdline"]):
    sys.exit("qemu-system-x86_64: could not load PC BIOS '/usr/share/ovmf/OVMF.amdsev.fd'")

if "policy=0x70000" in text:
    sys.exit("qemu-system-x86_64: sev_snp_launch_start: SNP_LAUNCH_START ret=-22 fw_error=7 'Policy is not allowed'")
if "-netdev" not in words:
    say("cc: FAILED: the network: there is no interface ; powering off")
if after("-append") != state["cmdline"]:
    say("cc: FAILED: the kernel command line is another one; powering off")
if not known or not good:
    say(denied)
disk = re.search(r"if=none,id=disk0,.*?,file=(\\S+)", text).group(1)
read = subprocess.run(["qemu-io", "-r", "-c", f"read -P 0xaa {state['start']} 4096", disk], capture_output=True, text=True)
if "verification failed" not in read.stdout:
    say("Kernel panic - not syncing: dm-verity device corrupted")
if "vfio-pci" in text and open(here + "/gpu-mode").read() == "off":
    say("cc: FAILED: GPU: confidential computing is 'off' on it, not on; powering off")
say(*ready, up=True)
`

/** What the stand-in measures of a launch as it is meant. */
const measure = (folder: string) =>
  execFileSync('bash', [
    '-c',
    'cat "$1" "$2/vmlinuz" "$2/initrd.img" <(printf 4EPYC-v4) | sha256sum | cut -c -64',
    '-',
    path('ovmf'),
    folder,
  ])
    .toString()
    .trim()

interface State {
  mode: string
  released: Record<string, string>
}
const readState = () => JSON.parse(readFileSync(path('bin/state.json'), 'utf8')) as State
const writeState = (change: Partial<State>) => {
  writeFileSync(path('bin/state.json'), JSON.stringify({...readState(), ...change}))
}

/** An image directory with the launcher that users have, and stand-ins for the scripts that talk to a broker. */
async function makeImage(folder: string, kernel: string): Promise<string> {
  mkdirSync(join(folder, 'trustee'), {recursive: true})
  const scripts = ['launch_cc_image.sh', 'install_cc_image.sh']
  const steps = scripts.map(async (name) =>
    stepTask(
      await planStep('boot/make-host-script', {
        ...{script: join(scriptsDirectory(), 'host', name), output: join(folder, name)},
      }),
      name,
    ),
  )
  await runTasks(await Promise.all(steps), {reporter: new SilentReporter(), logDir: root})
  writeFileSync(join(folder, 'vmlinuz'), kernel)
  writeFileSync(join(folder, 'initrd.img'), 'initrd')
  writeFileSync(join(folder, 'cmdline'), 'console=ttyS0 panic=1\n')
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, 'image.qcow2'), '8M'])
  const script = (line: string) => `#!/bin/bash\n[[ $* == *'--ca '*' --admin-token '* ]] || exit 2\n${line}\n`
  const release = `python3 -c 'import json, sys; file = sys.argv[1]; state = json.load(open(file)); state["released"][sys.argv[2]] = sys.argv[3]; json.dump(state, open(file, "w"))'`
  // The path of the key is that of the site: a newer build takes the place of the older one.
  for (const [name, value] of Object.entries({'upload.sh': measure(folder), 'revoke.sh': 'nothing'}))
    writeFileSync(join(folder, 'trustee', name), script(`${release} '${path('bin/state.json')}' site '${value}'`))
  const artefacts: Manifest['artefacts'] = {}
  for (const file of ['vmlinuz', 'initrd.img', 'cmdline', ...scripts])
    artefacts[file] = await describeFile(join(folder, file))
  const sha = '0'.repeat(64)
  const config = parseConfig({
    ...{profile: 'production', kbs: {url: 'https://kbs.example', caFile: '/ca.pem'}},
    ...{hardening: {role: 'client', site: 'site-1'}, layout: {partitions: {'cc-root': {key: 'kbs'}}}},
  })
  const ccRoot: Manifest['partitions'][number] = {
    ...{name: 'cc-root', start: mib, size: 4 * mib, mount: '/', encryption: 'luks2', integrity: 'verity', key: 'kbs'},
    ...{grow: false, from: '/', content: {sha256: sha, bytes: 4 * mib}, verity: null},
  }
  const manifest: Manifest = {
    ...{version: 1, name: 'image', stage: 'hardened', tool: 't', profile: 'production'},
    ...{config: encodeImageConfig(config), distribution: 'debian-12', buildKey: sha, cmdline: 'console=ttyS0 panic=1'},
    ...{source: {kind: 'mirror', label: 'l', sha256: null}, sourceDateEpoch: 1, measurement: null, packages: []},
    ...{initrd: {sealOffset: 0}, disk: {bytes: 8 * mib}, partitions: [ccRoot], artefacts},
    launch: {
      ...{platform: 'sev-snp', vcpus: [4], cpuTypes: ['EPYC-v4'], memoryMiB: 512, policy: '0x30000'},
      ...{guestFeatures: '0x1', firmwareSha256: null, hostData: ['ab'.repeat(32)]},
    },
  }
  writeFileSync(join(folder, 'manifest.json'), encodeManifest(manifest))
  return folder
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cc-acceptance-'))
  mkdirSync(path('bin'))
  // Real firmware has padding; the small one gets some.
  writeFileSync(path('ovmf'), Buffer.concat([Buffer.alloc(4096, 0xff), standInFirmware()]))
  writeFileSync(path('bin/qemu'), qemu)
  chmodSync(path('bin/qemu'), 0o755)
  const hostData = Buffer.from('ab'.repeat(32), 'hex').toString('base64')
  const state = {mode: 'good', released: {}, start: mib, hostData, cmdline: 'console=ttyS0 panic=1'}
  writeFileSync(path('bin/state.json'), JSON.stringify(state))
  writeFileSync(
    path('tools.py'),
    `import sys\nopen(${JSON.stringify(path('bin/gpu-mode'))}, "w").write("off" if "--set-cc-mode=off" in sys.argv else "on")\n`,
  )
  for (const name of ['ca.pem', 'token']) writeFileSync(path(name), name, {mode: 0o600})
  image = await makeImage(path('image'), 'kernel')
  newer = await makeImage(path('newer'), 'another kernel')
}, 60_000)
afterAll(() => {
  rmSync(root, {recursive: true})
})
beforeEach(() => {
  writeState({mode: 'good', released: {site: measure(image)}})
  writeFileSync(path('bin/gpu-mode'), 'on')
})

/** The rows by id: status and detail. */
async function accept(
  mode: string,
  changes: Partial<AcceptanceOptions> = {},
  {reporter, signal}: {reporter: Reporter; signal: AbortSignal} = {
    reporter: new SilentReporter(),
    signal: new AbortController().signal,
  },
): Promise<Record<string, string>> {
  writeState({mode})
  const {checks} = await testAcceptance(
    {
      ...{image, url: null, ca: path('ca.pem'), adminToken: path('token'), successor: newer},
      ...{gpu: '0000:41:00.0', gpuAdminTools: path('tools.py'), ovmf: path('ovmf'), qemu: path('bin/qemu')},
      ...{network: 'user', only: [], workDir: path('work'), timeoutMs: 20_000, lingerMs: 100},
      ...changes,
    },
    {reporter, signal},
  )
  return Object.fromEntries(checks.map(({id, status, detail}) => [id, `${status}: ${detail}`]))
}
const withStatus = (rows: Record<string, string>, status: string) =>
  Object.keys(rows).filter((id) => rows[id]?.startsWith(`${status}: `))

const all = [
  ...['released', 'console', 'vcpus', 'cpu-type', 'firmware', 'kernel', 'initrd', 'cmdline', 'debug', 'migration'],
  ...['disk', 'host-data', 'broker-silent', 'withdrawn', 'rotation', 'gpu-mode'],
]
/** Rows that have no change to be compared with a launch as it is meant. */
const needRelease = ['released', 'console']

/** Interrupts the run as soon as the machine of a row says something. */
function interrupting(row: string) {
  const stop = new AbortController()
  const report = (event: ProgressEvent) => {
    if (event.type === 'step-line' && event.step === row) stop.abort()
  }
  return {reporter: {report, close: () => Promise.resolve()}, stop}
}

describe('cc-image-test acceptance', {timeout: 300_000}, () => {
  it('has every row green on a host that does it right, and leaves the broker as it was', async () => {
    const rows = await accept('good')
    expect(rows).toEqual(Object.fromEntries(all.map((id) => [id, expect.stringMatching(/^passed: /) as string])))
    expect(rows['migration']).toContain('the processor refused it')
    expect(rows['disk']).toContain('dm-verity')
    expect(readState().released).toEqual({site: measure(image)})
    expect(readFileSync(path('bin/gpu-mode'), 'utf8')).toBe('on')
  })

  it('has every refusal red on a host that gives its keys to everybody', async () => {
    const rows = await accept('takes all')
    expect(withStatus(rows, 'failed')).toEqual(all.filter((id) => !needRelease.includes(id)))
    expect(rows['debug']).toBe('failed: it got its keys: cc: hardened')
  })

  it.each(['refuses all', 'says nothing', 'fails'])(
    'has nothing green on a host that %s: without a release a refusal has another reason than the change',
    async (mode) => {
      const rows = await accept(mode)
      expect(withStatus(rows, 'failed')).toEqual(needRelease)
      expect(withStatus(rows, 'skipped')).toEqual(all.filter((id) => !needRelease.includes(id)))
      expect(rows['vcpus']).toMatch(/^skipped: nothing follows from a refusal, .*: see released$/)
      // The broker is asked for nothing, and changed in nothing.
      expect(readState().released).toEqual({site: measure(image)})
    },
  )

  it('compares with a release even where one row is asked for, and fails without', async () => {
    expect(withStatus(await accept('good', {only: ['vcpus']}), 'passed')).toEqual(['vcpus'])
    expect(await accept('refuses all', {only: ['vcpus']})).toEqual({
      vcpus: expect.stringMatching(/^failed: nothing follows from a refusal, .*denied by its policy/) as string,
    })
  })

  it('believes no failure of QEMU that has nothing to do with the launch', async () => {
    const rows = await accept('fails when changed')
    expect(withStatus(rows, 'passed')).toEqual(['released', 'console', 'disk', 'gpu-mode'])
    expect(rows['firmware']).toContain('nothing follows from that: QEMU failed: qemu-system-x86_64: could not load PC')
  })

  it.each([
    ['withdrawn', () => readState().released['site'], () => measure(image)],
    ['rotation', () => readState().released['site'], () => measure(image)],
    ['gpu-mode', () => readFileSync(path('bin/gpu-mode'), 'utf8'), () => 'on'],
  ])('puts back what %s changed where it is interrupted', async (id, now, before) => {
    const {reporter, stop} = interrupting(id)
    const running = accept('good', {only: ['released', id]}, {reporter, signal: stop.signal})
    await expect(running).rejects.toMatchObject({code: 'E_INTERRUPTED'})
    expect(now()).toBe(before())
  })

  it.each([true, false])(
    'says what is still changed where it cannot be put back, interrupted: %s',
    async (interrupted) => {
      const upload = path('image/trustee/upload.sh')
      const script = readFileSync(upload)
      writeFileSync(upload, 'echo "the broker is gone" >&2; exit 1\n')
      const command = new RegExp(
        `the keys are still withdrawn \\(.*the broker is gone.*run bash .*/trustee/upload\\.sh .*--ca`,
        's',
      )
      const {reporter, stop} = interrupting('withdrawn')
      const {signal} = interrupted ? stop : new AbortController()
      try {
        const running = accept('good', {only: ['released', 'withdrawn']}, {reporter, signal})
        if (interrupted)
          await expect(running).rejects.toMatchObject({code: 'E_INTERRUPTED', message: command as unknown})
        else expect((await running)['withdrawn']).toMatch(command)
      } finally {
        writeFileSync(upload, script)
      }
    },
  )

  it('changes to what no digest is expected of', async () => {
    expect(await changeCpus([4, 5, 6])(['-smp', '4'], '')).toEqual(['-smp', '7'])
    // One of another version has the same digest.
    expect(await changeCpuType(['EPYC-v4'])(['-cpu', 'EPYC-v4'], '')).toEqual(['-cpu', 'EPYC-Milan'])
    expect(await changeCpuType(['EPYC-Milan-v2'])(['-cpu', 'EPYC-Milan-v2'], '')).toEqual(['-cpu', 'EPYC-Rome'])
  })

  it('tells what was typed', async () => {
    const rows = await accept('good', {only: ['console']})
    expect(rows['console']).toMatch(/^passed: no answer; typed \d+ times: "\\nroot\\nid/)
  })

  it('hears who answers at the console', async () => {
    const rows = await accept('login', {only: ['console']})
    expect(rows).toEqual({console: 'failed: it answers: cc login: '})
  })

  it('skips what nobody may change, and says so', async () => {
    const rows = await accept('good', {
      ...{adminToken: null, gpu: null, gpuAdminTools: null, only: ['withdrawn', 'rotation', 'gpu-mode']},
    })
    expect(rows).toEqual({
      withdrawn: 'skipped: nobody may change what the broker releases: --admin-token FILE',
      rotation: 'skipped: nobody may change what the broker releases: --admin-token FILE',
      'gpu-mode': 'skipped: no GPU was named: --gpu ADDRESS --gpu-admin-tools FILE',
    })
  })

  it('refuses what cannot be meant', async () => {
    await expect(accept('good', {only: ['nothing']})).rejects.toMatchObject({
      code: 'E_USAGE',
      message: "--only: there is no check 'nothing'",
    })
    await expect(accept('good', {ca: null})).rejects.toMatchObject({code: 'E_USAGE', message: '--ca: it is missing'})
    await expect(accept('good', {gpu: null})).rejects.toMatchObject({message: '--gpu-admin-tools needs --gpu'})
  })
})
