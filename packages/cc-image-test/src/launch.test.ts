import {execFileSync} from 'node:child_process'
import {copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {parseConfig} from 'cc-core/config'
import {readImageDirectory} from 'cc-core/manifest'
import {planOpen, readImage} from 'cc-core/seal'
import {runTasks} from 'cc-core/build'
import {SilentReporter} from 'cc-core/ui'
import {qemuCommand} from 'cc-core/vm'
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {changeManifest, copyOf, name, readManifest, sealSmallImage} from './fixtures/image.js'
import {testMachine} from './image/boots.js'
import {baseSuite} from './services/base.js'
import {testImage} from './services/test-image.js'

let lab: string
let sealed: string
let dir: string
beforeAll(async () => {
  lab = mkdtempSync(join(tmpdir(), 'cc-launch-'))
  sealed = await sealSmallImage(lab)
}, 120_000)
beforeEach(() => {
  dir = mkdtempSync(join(lab, 'test-'))
})
afterAll(() => {
  // What was opened may belong to other ids.
  rmSync(lab, {recursive: true, force: true})
})

/** The checks of the ESP and of the launch, by id: status and detail. */
async function check(image: string, changes: Record<string, unknown> | null = null) {
  const about = /^(esp|measurement|host-scripts|install-check|gpt$)/
  const {report} = await testImage(
    {...baseSuite, checks: (...of) => baseSuite.checks(...of).filter(({id}) => about.test(id))},
    {
      ...{image, config: changes === null ? null : parseConfig(changes), workDir: join(dir, 'work')},
      ...({accelerator: 'tcg', timeoutMs: 1, memoryMiB: 64, lingerMs: 0} as const),
    },
    {reporter: new SilentReporter(), signal: new AbortController().signal},
  )
  return Object.fromEntries(report.checks.map(({id, status, detail}) => [id, `${status}: ${detail}`]))
}

describe('the launcher', {timeout: 60_000}, () => {
  it('starts the machine that the tests boot', async () => {
    const image = await readImageDirectory(sealed)
    const disk = image.file(`${name}.qcow2`)
    const machine = testMachine({image, disk}, image.file('keys/root.key'), {accelerator: 'tcg', memoryMiB: 768})
    const options = [
      '--no-tee',
      '--accel',
      'tcg',
      '--network',
      'none',
      '--snapshot',
      '--memory',
      '768M',
      '--vcpus',
      '2',
    ]
    const printed = execFileSync(image.file('launch_cc_image.sh'), ['--print', ...options], {encoding: 'utf8'})
    const words = execFileSync('bash', ['-c', `printf '%s\\0' ${printed}`], {encoding: 'utf8'})
      .split('\0')
      .slice(0, -1)
    // A person ends it with Ctrl-C; the tests end it themselves.
    const expected = qemuCommand({...machine, console: 'stdout'}).map((word) => word.replace('signal=off', 'signal=on'))
    const sorted = (list: readonly string[]) => [...list].sort()
    expect(sorted(words)).toEqual(sorted(expected))
    expect(words.slice(words.indexOf('-append'), words.indexOf('-append') + 2)).toEqual([
      '-append',
      image.manifest.cmdline,
    ])
  })
})

describe('an image as it was sealed', {timeout: 120_000}, () => {
  it('has an ESP first on its disk that starts and describes it', async () => {
    const [first] = readManifest(sealed).partitions
    expect(first).toMatchObject({name: 'cc-esp', start: 1024 * 1024, mount: 'none', from: null})
    const found = await check(sealed)
    for (const id of ['gpt', 'esp-files', 'esp-manifest', 'host-scripts', 'install-check'])
      expect(found[id], id).toMatch(/^passed/)
    expect(found['measurement']).toMatch(/^skipped: .*launch\.ovmf/)
  })

  it('is another where a file, a script or the manifest was changed beside it', async () => {
    const image = copyOf(sealed, dir)
    writeFileSync(join(image, 'launch_cc_image.sh'), '#!/bin/bash\n(')
    writeFileSync(join(image, 'vmlinuz'), 'other')
    changeManifest(image, (manifest) => ({
      artefacts: {...manifest.artefacts, vmlinuz: {sha256: 'a'.repeat(64), bytes: 5}},
    }))
    const found = await check(image)
    expect(found['esp-files']).toMatch(/^failed: .*vmlinuz is another/)
    expect(found['esp-manifest']).toMatch(/^failed: .*'artefacts' differs/)
    expect(found['host-scripts']).toMatch(/^failed: .*launch_cc_image\.sh is not a script/)
    expect(found['install-check']).toMatch(/^failed: .*altered *launch_cc_image\.sh/)
  })

  it('in production needs a measurement, and one of these very files', async () => {
    const image = copyOf(sealed, dir)
    changeManifest(image, () => ({profile: 'production'}))
    expect((await check(image))['measurement']).toMatch(/^failed: the image has no expected measurement/)
    const entry = {vcpus: 4, cpuType: 'EPYC-v4', guestFeatures: '0x1', digest: 'b'.repeat(96)}
    const from = {firmware: 'a'.repeat(64), kernel: 'a'.repeat(64), initrd: 'a'.repeat(64), cmdline: 'a'.repeat(64)}
    changeManifest(image, () => ({
      measurement: {platform: 'sev-snp', algorithm: 'sha384', from, entries: [entry]},
    }))
    expect((await check(image))['measurement']).toMatch(
      /^failed: it is of another kernel; it is of another initrd; it is of another command line; it is of another firmware.*; 0 digests for 1 processors/,
    )
  })
})

describe('a bare qcow2', {timeout: 120_000}, () => {
  const bare = () => {
    mkdirSync(join(dir, 'elsewhere'))
    const disk = join(dir, 'elsewhere', 'mine.qcow2')
    copyFileSync(join(sealed, `${name}.qcow2`), disk)
    return disk
  }

  it('is opened with its key: everything else is on its ESP', async () => {
    const disk = bare()
    const image = await readImage(disk, join(dir, 'work'))
    const wanted = readManifest(sealed)
    expect({...image.manifest, partitions: []}).toEqual({...wanted, partitions: []})
    for (const file of Object.keys(wanted.artefacts))
      expect(readFileSync(image.file(file)).equals(readFileSync(join(sealed, file))), file).toBe(true)
    const tree = join(dir, 'tree')
    const key = join(sealed, 'keys/root.key')
    const tasks = await planOpen({image, rootKey: key, tree}, join(dir, 'open'))
    await runTasks(tasks, {reporter: new SilentReporter(), logDir: dir})
    expect(readFileSync(join(tree, 'boot/vmlinuz'), 'utf8')).toBe('kernel')
    expect(readFileSync(join(tree, 'opt/cc/ro/readme'), 'utf8')).toBe('read me\n')
  })

  it('that has grown has the size that its table says', async () => {
    const image = copyOf(sealed, dir)
    const {growImage} = await import('cc-core/resize')
    const bytes = readManifest(image).disk.bytes + 64 * 1024 * 1024
    await growImage({image, sizeBytes: bytes}, {reporter: new SilentReporter()})
    const disk = join(dir, 'grown.qcow2')
    copyFileSync(join(image, `${name}.qcow2`), disk)
    const {manifest} = await readImage(disk, join(dir, 'work'))
    expect(manifest.disk.bytes).toBe(bytes)
    expect((await check(image))['esp-manifest']).toMatch(/^passed/)
  })

  it('without an ESP of ours, or with another file on it, is refused, and nothing is left', async () => {
    const empty = join(dir, 'empty.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', empty, '64M'])
    await expect(readImage(empty, join(dir, 'work'))).rejects.toMatchObject({code: 'E_IMAGE'})

    // The same ESP with one byte of the kernel changed.
    const {start, size} = readManifest(sealed).partitions[0] ?? {start: 0, size: 0}
    const disk = bare()
    const raw = join(dir, 'raw')
    execFileSync('qemu-img', ['convert', '-O', 'raw', disk, raw])
    const bytes = readFileSync(raw)
    // The section of the kernel, which zeros fill.
    const kernel = bytes.subarray(0, start + size).indexOf('kernel\0\0\0', start)
    expect(kernel).toBeGreaterThan(start)
    bytes.write('KERNEL', kernel)
    writeFileSync(raw, bytes)
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, disk])
    await expect(readImage(disk, join(dir, 'work'))).rejects.toMatchObject({
      code: 'E_IMAGE',
      message: expect.stringContaining('vmlinuz') as string,
    })
    expect(existsSync(join(dir, 'work/bare'))).toBe(false)
    expect(existsSync(join(dir, 'work/bare.partial'))).toBe(false)
  })
})
