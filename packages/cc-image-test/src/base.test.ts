import {randomBytes} from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {runCommand} from '@oclif/test'
import {parseConfig, type Config} from 'cc-core/config'
import {run} from 'cc-core/exec'
import {SilentReporter} from 'cc-core/ui'
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {bootLine, changeManifest, copyOf, fakeQemu, goodConsole, settledLine} from './fixtures/image.js'
import {name, readManifest, sealSmallImage} from './fixtures/image.js'
import {baseSuite} from './services/base.js'
import {testImage} from './services/test-image.js'

const path = process.env['PATH']
let lab: string
let sealed: string
let dir: string
let image: string

/**
 * Test the image of this test.
 * @param about the ids of the checks to run: all take a while
 */
async function base(about = /./, options: {config?: Config; timeoutMs?: number} = {}) {
  const {report} = await testImage(
    {...baseSuite, checks: (...of) => baseSuite.checks(...of).filter(({id}) => about.test(id))},
    {
      image,
      config: null,
      workDir: null,
      accelerator: 'tcg',
      timeoutMs: 60_000,
      memoryMiB: 64,
      lingerMs: 200,
      ...options,
    },
    {reporter: new SilentReporter(), signal: new AbortController().signal},
  )
  const failed = report.checks.filter(({status}) => status === 'failed').map(({id, detail}) => [id, detail])
  return {checks: report.checks, failed: Object.fromEntries(failed) as Record<string, string>}
}

/** The checks that look at files, and those that boot. */
const files = /^(?!boot-|wrong-)|^boot-conf$/
const boots = /^(boot-(?!conf$)|wrong-)/

/** The disk as a raw file, changed, and put back. */
async function changeDisk(change: (disk: Buffer) => void): Promise<void> {
  const disk = join(image, `${name}.qcow2`)
  await run(['qemu-img', 'convert', '-O', 'raw', disk, join(dir, 'raw')])
  const bytes = readFileSync(join(dir, 'raw'))
  change(bytes)
  writeFileSync(join(dir, 'raw'), bytes)
  await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', join(dir, 'raw'), disk])
}
const startOf = (partition: string) =>
  readManifest(image).partitions.find((other) => other.name === partition)?.start ?? 0

beforeAll(async () => {
  lab = mkdtempSync(join(tmpdir(), 'cc-image-test-'))
  sealed = await sealSmallImage(lab)
}, 60_000)
afterAll(() => {
  rmSync(lab, {recursive: true})
})
beforeEach(() => {
  dir = mkdtempSync(join(lab, 'test-'))
  image = copyOf(sealed, dir)
  process.env['PATH'] = `${dir}/bin:${path ?? ''}`
  fakeQemu(join(dir, 'bin'), {withKey: goodConsole(image)})
})
afterEach(() => {
  process.env['PATH'] = path
  process.exitCode = undefined
})

describe('cc-image-test base', {timeout: 60_000}, () => {
  it('passes an image as it was sealed, and leaves only its logs', async () => {
    const {failed, checks} = await base()
    expect(failed).toEqual({})
    // Its configuration names no firmware.
    const skipped = checks.filter(({status}) => status === 'skipped').map(({id}) => id)
    expect(skipped).toEqual(['measurement', 'measurement-again'])
    expect(checks.map(({id}) => id)).toEqual([
      ...[
        'manifest',
        'sha256',
        'alias',
        'no-host-agents',
        'qcow2-alone',
        'qcow2-sound',
        'gpt',
        'gpt-copies',
        'cmdline',
        'cmdline-safe',
      ],
      ...['boot-conf', 'cmdline-config', 'esp-files', 'esp-manifest', 'measurement', 'measurement-again'],
      ...['host-scripts', 'install-check', 'luks-headers', 'verity-cc-ro', 'ciphertext-cc-root'],
      ...['keys-private', 'keys-only-there', 'files', 'boot-up', 'boot-profile', 'boot-kernel', 'boot-hostname'],
      ...['boot-locale', 'boot-timezone', 'boot-cc-app', 'boot-cc-ro', 'boot-cc-out', 'boot-cc-root', 'boot-growth'],
      ...['boot-swap', 'boot-tmpfs', 'boot-units', 'boot-banner', 'boot-no-shell'],
      ...['wrong-key-refused', 'wrong-key-off', 'wrong-key-no-shell'],
    ])
    expect(readdirSync(join(dir, '.work/test'))).toEqual(['logs'])
    expect(readdirSync(join(dir, '.work/test/logs')).sort()).toEqual(['boot.log', 'wrong-key.log'])
  })

  it('prints a table, writes JUnit and HTML, and exits 7 with the name of what failed', async () => {
    unlinkSync(join(image, 'nvcc_image.qcow2'))
    const words = [
      'base',
      '--image',
      image,
      '--accelerator',
      'tcg',
      '--junit',
      join(dir, 'j'),
      '--html',
      join(dir, 'h'),
    ]
    const {stdout, stderr, error} = await runCommand(words, import.meta.url)
    expect(stdout).toMatch(/^FAIL {2}nvcc_image\.qcow2 is the same disk +\d+\.\d s {2}.* is not a symbolic link$/m)
    expect(stdout).toContain('40 passed, 1 failed, 2 skipped\n')
    expect(stderr).toContain('error[E_CHECK]: 1 of 43 checks failed: alias\n  try: read the consoles in ')
    expect(error?.oclif?.exit).toBe(7)
    expect(readFileSync(join(dir, 'j'), 'utf8')).toContain('tests="43" failures="1"')
    expect(readFileSync(join(dir, 'h'), 'utf8')).toContain('1 of 43 checks failed')
  })

  it('gives the checks and the error with --json, and exits 7', async () => {
    unlinkSync(join(image, 'nvcc_image.qcow2'))
    const words = ['base', '--json', '--image', image, '--accelerator', 'tcg', '--set', 'os.hostname=wanted']
    const json = JSON.parse((await runCommand(words, import.meta.url)).stdout) as Record<string, unknown>
    expect(json).toMatchObject({
      ...{passed: 39, failed: 2, skipped: 2},
      error: {code: 'E_CHECK', exitCode: 7, message: '2 of 43 checks failed: alias, boot-hostname'},
    })
    expect(json['checks']).toHaveLength(43)
    expect(process.exitCode).toBe(7)
  })

  it('finds a changed byte in verity data, ciphertext, kernel and initrd', async () => {
    await changeDisk((disk) => {
      for (const partition of ['cc-ro', 'cc-root'])
        disk.writeUInt8(disk.readUInt8(startOf(partition) + 5000) ^ 1, startOf(partition) + 5000)
    })
    writeFileSync(join(image, 'vmlinuz'), 'kernek')
    const {failed} = await base(files)
    expect(failed['sha256']).toMatch(/vmlinuz has another sha256; .*cc-ro .*cc-root /s)
    expect(failed['verity-cc-ro']).toContain('its content does not have the root hash')
    expect(Object.keys(failed)).toEqual(['sha256', 'install-check', 'verity-cc-ro'])
  })

  it('finds a root file system that is not encrypted', async () => {
    const tree = join(dir, 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'file'), '#!/bin/sh\nroot:x:0:0 Debian GNU/Linux\n'.repeat(1000))
    await run(['mkfs.ext4', '-q', '-d', tree, join(dir, 'fs'), '1024k'])
    await changeDisk((disk) => {
      readFileSync(join(dir, 'fs')).copy(disk, startOf('cc-root'))
    })
    const {failed} = await base(files)
    expect(failed['ciphertext-cc-root']).toMatch(
      /begins with the file system ext4; it holds '#!\/bin\/sh' in plain; .*'Debian GNU\/Linux' in plain.*bits per byte at \d+: not random/,
    )
  })

  it('finds a compressed root file system that is not encrypted, though it is nearly random', async () => {
    const tree = join(dir, 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'file'), randomBytes(900_000))
    await run(['mksquashfs', tree, join(dir, 'fs'), '-quiet', '-no-progress'])
    await changeDisk((disk) => {
      readFileSync(join(dir, 'fs')).copy(disk, startOf('cc-root'))
    })
    const {failed} = await base(files)
    expect(failed['ciphertext-cc-root']).toMatch(/begins with the file system squashfs/)
  })

  it('finds a LUKS header on the disk', async () => {
    await changeDisk((disk) => disk.write('LUKS\xba\xbe', startOf('cc-root'), 'latin1'))
    const {failed} = await base(files)
    expect(failed['luks-headers']).toBe('cc-root begins with a LUKS header')
    expect(failed['ciphertext-cc-root']).toBe('it begins with a LUKS header')
  })

  it('finds a partition table that is another one, or two', async () => {
    // The name of the first entry, in the copy at the beginning only.
    await changeDisk((disk) => disk.write('X', 2 * 512 + 56, 'latin1'))
    const {failed} = await base(files)
    expect(failed['gpt']).toContain('it is a dos table; there is no cc-esp; there is no cc-app')
    expect(failed['gpt-copies']).toContain('differs')
    await changeDisk((disk) => {
      disk.write('c', 2 * 512 + 56, 'latin1') // The beginning is whole again …
      disk.fill(0, disk.length - 512) // … and the header at the end is gone.
    })
    expect(Object.keys((await base(files)).failed)).toEqual(['gpt-copies'])
  })

  it('finds partitions of another place, size or name', async () => {
    changeManifest(image, ({partitions}) => ({
      partitions: partitions.map((partition) =>
        partition.name === 'cc-app' ? {...partition, size: partition.size - 4096} : partition,
      ),
    }))
    expect((await base(files)).failed).toEqual({
      gpt: 'cc-app has 2097152 bytes, not 2093056',
      'esp-manifest': "'partitions' differs",
    })
  })

  it('finds a qcow2 that is part of another, encrypted or damaged', async () => {
    const disk = join(image, `${name}.qcow2`)
    copyFileSync(disk, join(dir, 'base.qcow2'))
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', join(dir, 'base.qcow2'), '-F', 'qcow2', disk])
    const leaning = (await base(files)).failed
    expect(Object.keys(leaning).sort()).toEqual(['install-check', 'qcow2-alone'])
    expect(leaning['qcow2-alone']).toBe(`it needs ${dir}/base.qcow2`)
    expect(leaning['install-check']).toContain(`leans on '${dir}/base.qcow2', and its manifest names 'nothing'`)
    copyFileSync(join(dir, 'base.qcow2'), disk)
    const bytes = readFileSync(disk)
    bytes.fill(0xff, 65536 * 2, 65536 * 2 + 64) // Reference counts.
    writeFileSync(disk, bytes)
    expect((await base(files)).failed).toHaveProperty('qcow2-sound')
  })

  it('finds a boot.conf and a command line that are not those of the manifest', async () => {
    changeManifest(image, ({partitions, cmdline}) => ({
      cmdline: cmdline.replace('panic=1', 'panic=0 init=/bin/sh'),
      partitions: partitions.map((partition) =>
        partition.verity === null ? partition : {...partition, verity: {...partition.verity, salt: 'f'.repeat(64)}},
      ),
    }))
    const {failed} = await base(files)
    expect(failed['cmdline']).toContain('init=/bin/sh')
    expect(failed['cmdline-safe']).toBe("'init=/bin/sh' is dangerous; 'panic=1' is missing")
    expect(failed['cmdline-config']).toContain('the configuration gives')
    expect(failed['boot-conf']).toMatch(
      /^'cmdline=.*' is not expected; 'cc-ro\.verity-salt=\w{64}' is not expected; 'cmdline=.* init=\/bin\/sh .*' is missing; 'cc-ro\.verity-salt=f{64}' is missing$/,
    )
  })

  it('finds keys that others can read, and keys in other places', async () => {
    chmodSync(join(image, 'keys'), 0o755)
    chmodSync(join(image, 'keys/root.key'), 0o640)
    const key = readFileSync(join(image, 'keys/root.key'))
    writeFileSync(join(image, 'notes.txt'), `the key is ${key.toString('hex')}, or ${key.toString('base64')}`)
    for (const known of ['provenance.json', 'provenance.json.sig', 'manifest.json.sig'])
      writeFileSync(join(image, known), '{}')
    const {failed, checks} = await base(files)
    expect(failed['keys-private']).toBe('keys/ has mode 0755; keys/root.key has mode 0640')
    expect(checks.find(({id}) => id === 'keys-private')?.fix).toContain('chmod 600')
    expect(failed['keys-only-there']).toBe(
      'notes.txt holds keys/root.key in hexadecimal; notes.txt holds keys/root.key in base64',
    )
    expect(failed['files']).toBe('notes.txt is not described by the manifest')
  })

  /** The configuration of the small image, but with a key of a broker. */
  const kbs = () => {
    const config = parseConfig(readManifest(image).config)
    const {partitions} = config.layout
    const app = partitions['cc-app']
    if (app === undefined) throw new Error('the image has no cc-app')
    return {...config, layout: {...config.layout, partitions: {...partitions, 'cc-app': {...app, key: 'kbs' as const}}}}
  }
  const writeTrustee = (names: readonly string[], text = 'nothing') => {
    mkdirSync(join(image, 'trustee'))
    for (const file of names) writeFileSync(join(image, 'trustee', file), text)
  }
  const ofTrustee = ['resource-policy.rego', 'reference-values.json', 'resources.json', 'upload.sh', 'revoke.sh']

  it('knows the files for a key broker, where keys come from one', async () => {
    writeTrustee(ofTrustee)
    expect((await base(/^(files|keys-)/, {config: kbs()})).failed).toEqual({})
    expect((await base(/^files$/)).failed['files']).toContain('trustee/upload.sh is not described by the manifest')
    unlinkSync(join(image, 'trustee/revoke.sh'))
    expect((await base(/^(files|keys-)/, {config: kbs()})).failed).toEqual({
      'keys-only-there': 'not searched: trustee/revoke.sh',
    })
  })

  it('finds a stranger, a link and a key among the files for a key broker', async () => {
    const key = readFileSync(join(image, 'keys/root.key')).toString('hex')
    writeTrustee([...ofTrustee, 'notes.txt'], `key=${key}`)
    symlinkSync('..', join(image, 'trustee/up'))
    const {failed} = await base(/^(files|keys-)/, {config: kbs()})
    expect(failed['files']).toBe(
      'trustee/notes.txt is not described by the manifest; trustee/up is not described by the manifest',
    )
    expect(failed['keys-only-there']).toContain('trustee/upload.sh holds keys/root.key in hexadecimal')
  })

  it('finds a guest that is not as it should be', async () => {
    const {partitions} = readManifest(image)
    const change = {
      ...{kernel: '5.0', hostname: 'other', locale: 'C', timezone: 'CET', profile: 'production', swap: true},
      tmpfs: ['/tmp'],
      partitions: [
        {name: 'cc-app', state: 'plain', mount: '/elsewhere', integrity: 'hmac', bytes: 0},
        {name: 'cc-out', state: 'plain', mount: '/mnt/cc/out', integrity: 'none', bytes: 1},
        {name: 'cc-root', state: 'encrypted', mount: '/', integrity: 'none', bytes: 1000},
      ],
    }
    fakeQemu(join(dir, 'bin'), {withKey: [bootLine(image, change), settledLine('x.service'), 'sh-5.2# ']})
    const size = partitions.find((partition) => partition.name === 'cc-root')?.size ?? 0
    expect((await base(boots)).failed).toEqual({
      'boot-profile': "it is 'production', configured is 'development'",
      'boot-kernel': 'no package of the manifest is kernel 5.0',
      'boot-hostname': "it is 'other', configured is 'cc'",
      'boot-locale': "it is 'C', configured is 'en_US.UTF-8'",
      'boot-timezone': "it is 'CET', configured is 'UTC'",
      'boot-cc-app':
        'it is plain, not encrypted; it is mounted at /elsewhere, not at /mnt/cc/app; its integrity is hmac, not none; nothing is mounted',
      'boot-cc-ro': 'the guest reports it 0 times',
      'boot-cc-out': 'it is plain, not encrypted or locked',
      'boot-growth': `1,000 bytes of ${(size / 1024 ** 2).toLocaleString('en', {maximumFractionDigits: 1})} MiB, ${((100 * 1000) / size).toFixed(1)} %`,
      'boot-swap': 'swap is on',
      'boot-tmpfs': '/var/tmp is not a tmpfs; /dev/shm is not a tmpfs',
      'boot-units': 'x.service failed',
      'boot-banner': 'there is no INSECURE DEVELOPMENT IMAGE',
      'boot-no-shell': "'sh-5.2#'",
    })
  })

  it('compares the guest with --config where that is given', async () => {
    const {failed} = await base(/^boot-hostname/, {config: parseConfig({os: {hostname: 'wanted'}})})
    expect(failed).toEqual({'boot-hostname': "it is 'cc', configured is 'wanted'"})
  })

  it('has one failure for a boot that comes to nothing, and says what the console said', async () => {
    fakeQemu(join(dir, 'bin'), {withKey: ['cc: FAILED: cc-app: cannot be opened; powering off'], withWrongKey: []})
    writeFileSync(join(dir, 'bin/qemu-system-x86_64'), `#!/bin/sh\nexec cat ${dir}/bin/with-key\n`)
    const {failed, checks} = await base(boots)
    expect(failed['boot-up']).toMatch(/^powered-off after .*cc: FAILED: cc-app: cannot be opened; powering off$/)
    expect(Object.keys(failed)).toEqual(['boot-up', 'boot-banner', 'wrong-key-refused'])
    expect(checks.find(({id}) => id === 'boot-swap')).toMatchObject({status: 'skipped'})
  })

  it('finds a report that is none, a wrong key that is accepted, and a shell', async () => {
    const withWrongKey = [
      'cc: FAILED: cc-root: the key does not open it; powering off',
      'cc: FAILED: twice',
      '(initramfs) ',
    ]
    fakeQemu(join(dir, 'bin'), {withKey: ['CC-BOOT {"version":1', settledLine()], withWrongKey})
    const {failed} = await base(boots)
    expect(failed['boot-up']).toContain('E_IMAGE: the boot report of the guest is not JSON')
    expect(failed['wrong-key-refused']).toContain("'cc: FAILED: twice'")
    expect(failed['wrong-key-no-shell']).toBe("'(initramfs)'")
    writeFileSync(
      join(dir, 'bin/qemu-system-x86_64'),
      '#!/bin/sh\ncase "$*" in --version | "-object help") exit 0 ;; esac\necho booted\nexec sleep 60\n',
    )
    expect((await base(boots, {timeoutMs: 1000})).failed['wrong-key-off']).toMatch(/^timed-out after .*: booted$/)
  })

  it('boots nothing whose key it cannot serve, and says so at each check', async () => {
    changeManifest(image, ({partitions}) => ({
      partitions: partitions.map((partition) =>
        partition.name === 'cc-root' ? {...partition, key: 'kbs'} : partition,
      ),
    }))
    const {checks} = await base(boots)
    const skipped = checks.filter(({status}) => status === 'skipped')
    expect(skipped).toHaveLength(19)
    for (const {detail} of skipped)
      expect(detail).toBe("the key source of cc-root is 'kbs', which this test cannot serve")
  })

  it('has a failed check for a manifest that is none, and an error for no image at all', async () => {
    writeFileSync(join(image, 'manifest.json'), '{')
    expect((await base()).failed).toEqual({manifest: `${image}/manifest.json is not JSON`})
    const {stderr, error} = await runCommand(['base', '--image', '/no/such'], import.meta.url)
    expect(stderr).toContain("error[E_IMAGE]: there is no image at '/no/such'")
    expect(error?.oclif?.exit).toBe(4)
  })

  it('finds a manifest that contradicts itself', async () => {
    changeManifest(image, ({partitions, artefacts}) => ({
      artefacts: {...artefacts, '../outside': {sha256: '0'.repeat(64), bytes: 1}},
      partitions: partitions.map((partition) => ({...partition, start: 0})),
    }))
    const {failed} = await base(files)
    expect(failed['manifest']).toContain(
      "'../outside' is not a file name; cc-app begins inside the partition before it",
    )
  })

  it('takes the qcow2 for the directory, shows its plan, and runs nothing of it', async () => {
    const disk = join(image, `${name}.qcow2`)
    const {stdout} = await runCommand(['base', '--dry-run', '--image', disk], import.meta.url)
    expect(stdout).toContain('# boot-up: It boots until every partition is open\n')
    expect(stdout).toMatch(/^qemu-system-x86_64 .* -kernel .*\/vmlinuz .*file=.*\/keys\/root\.key/m)
    expect(existsSync(join(dir, '.work'))).toBe(false)
  })

  it('refuses wrong flags with exit 2', async () => {
    for (const words of [
      ['--accelerator', 'hvf'],
      ['--boot-timeout', '0'],
      ['--memory', 'much'],
    ]) {
      const {error} = await runCommand(['base', '--image', image, ...words], import.meta.url)
      expect(error?.oclif?.exit, words.join(' ')).toBe(2)
    }
  })
})

it('follows no link out of keys/', async () => {
  mkdirSync(join(dir, 'outside'))
  unlinkSync(join(image, 'keys/root.key'))
  symlinkSync(join(dir, 'outside'), join(image, 'keys/root.key'))
  expect((await base(/^keys/)).failed['keys-private']).toBe('keys/root.key is not a file')
})
