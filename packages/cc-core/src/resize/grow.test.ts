import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readFileSync, statSync, symlinkSync} from 'node:fs'
import {readFile, rename, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it, onTestFinished} from 'vitest'

import {CcError} from '../errors/index.js'
import {run} from '../exec/index.js'
import {manifestSchema, sha256File, type Manifest} from '../manifest/index.js'
import {callStep} from '../steps/index.js'
import {RecordingReporter, SilentReporter} from '../ui/index.js'
import {makeImage, mebibyte, partitionsOf, writeManifest} from './fixtures/image.js'
import {growImage, planGrow, showGrow} from './index.js'

let image: string
const size = 64 * mebibyte
const grow = (sizeBytes = size, path = image) => growImage({image: path, sizeBytes}, {reporter: new SilentReporter()})
const manifest = (): Manifest => manifestSchema.parse(JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')))
const disk = () => join(image, 'image.qcow2')
const qemuImg = (...words: string[]) => run(['qemu-img', ...words])

/** What the disk and the manifest say, in MiB; both have to say the same. */
async function sizes(): Promise<Record<string, number>> {
  const onDisk = await partitionsOf(image)
  expect(manifest().partitions.map(({name, start, size: bytes}) => [name, start, bytes])).toEqual(onDisk)
  const {stdout} = await qemuImg('info', '--output', 'json', disk())
  const bytes = (JSON.parse(stdout) as {'virtual-size': number})['virtual-size']
  expect(manifest().disk.bytes).toBe(bytes)
  return Object.fromEntries(
    [['disk', bytes], ...onDisk.map(([name, , length]) => [name, length] as const)].map(([name, length]) => [
      name,
      Number(length) / mebibyte,
    ]),
  )
}

/** The call fails with that, and neither disk nor manifest is touched. */
async function refuses(work: () => Promise<unknown>, code: string, ...words: string[]): Promise<void> {
  const before = await state()
  const error: unknown = await work().catch((thrown: unknown) => thrown)
  expect(CcError.is(error) && error.code, String(error)).toBe(code)
  for (const word of words) expect((error as CcError).message).toContain(word)
  expect(await state()).toEqual(before)
}

const state = async () =>
  Promise.all(
    ['image.qcow2', 'manifest.json']
      .map((name) => join(image, name))
      .map(async (file) => (existsSync(file) ? [await sha256File(file), statSync(file).mtimeMs] : null)),
  )

beforeEach(async () => {
  image = await makeImage()
})
afterEach(() => rm(image, {recursive: true}))

const old = {disk: 8, 'cc-app': 2, 'cc-out': 1, 'cc-root': 3}
const grown = {...old, disk: 64, 'cc-root': 59}

describe('growImage', () => {
  it('points the provenance at the new manifest, and removes signatures of the old one', async () => {
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{digest: {sha256: 'of before'}}],
      predicate: {a: 1},
    }
    await writeFile(join(image, 'provenance.json'), JSON.stringify(statement))
    await writeFile(join(image, 'manifest.json.sig'), 'signature')
    await writeFile(join(image, 'provenance.json.sig'), 'signature')
    const reporter = new RecordingReporter()
    await growImage({image, sizeBytes: size}, {reporter})
    expect(JSON.stringify(reporter.events)).toMatch(/manifest\.json\.sig and .*provenance\.json\.sig would not fit/)
    expect(existsSync(join(image, 'manifest.json.sig')) || existsSync(join(image, 'provenance.json.sig'))).toBe(false)
    const sha256 = await sha256File(join(image, 'manifest.json'))
    expect(JSON.parse(readFileSync(join(image, 'provenance.json'), 'utf8'))).toEqual({
      ...statement,
      subject: [{name: 'manifest.json', digest: {sha256}}],
    })
  })

  it('grows the disk and the partition that grows, and says so in the manifest', async () => {
    expect(await sizes()).toEqual(old)
    const result = await grow()
    expect(result).toMatchObject({
      changed: true,
      disk: {from: 8 * mebibyte, to: size},
      partition: {name: 'cc-root', from: 3 * mebibyte, to: 59 * mebibyte},
    })
    expect(result.image.manifest).toEqual(manifest())
    expect(await sizes()).toEqual(grown)
    expect(existsSync(join(image, '.resize.lock'))).toBe(false)
  })

  it('changes nothing else in the manifest', async () => {
    const before = manifest()
    await grow()
    const after = manifest()
    expect({...after, disk: before.disk, partitions: before.partitions}).toEqual(before)
    expect(after.partitions.slice(0, -1)).toEqual(before.partitions.slice(0, -1))
  })

  it('leaves an image alone that has the size already', async () => {
    await grow()
    const before = await state()
    expect(await grow()).toMatchObject({changed: false, disk: {to: size}})
    expect(await state()).toEqual(before)
  })

  it('takes a qcow2, and another name of it', async () => {
    symlinkSync('image.qcow2', join(image, 'alias.qcow2'))
    await grow(size / 2, disk())
    await grow(size, join(image, 'alias.qcow2'))
    expect(await sizes()).toEqual(grown)
  })

  it('reports each step', async () => {
    const reporter = new RecordingReporter()
    await growImage({image, sizeBytes: size}, {reporter})
    const done = reporter.events.flatMap((event) => (event.type === 'step-done' ? [event.step] : []))
    expect(done).toEqual(['disk/grow-disk', 'disk/grow-table', 'disk/grow-manifest'])
  })

  it('warns where the file system could not hold all of it, and grows', async () => {
    const reporter = new RecordingReporter()
    await growImage({image, sizeBytes: 4 * 1024 ** 4}, {reporter})
    expect(reporter.events.filter(({type}) => type === 'warning')).toHaveLength(1)
    expect(statSync(disk()).blocks * 512).toBeLessThan(2 * mebibyte)
  })

  it.each([1, 2])('goes on where a run was cut off behind step %i', async (count) => {
    const {steps} = await planGrow({image, sizeBytes: size})
    for (const step of steps.slice(0, count)) await callStep(step)
    expect(manifest().disk.bytes).toBe(8 * mebibyte)
    expect(await grow()).toMatchObject({changed: true})
    expect(await sizes()).toEqual(grown)
  })

  it.each([1, 2])('goes on to a larger size behind step %i, and not back', async (count) => {
    const {steps} = await planGrow({image, sizeBytes: size})
    for (const step of steps.slice(0, count)) await callStep(step)
    await refuses(() => grow(size / 2), 'E_SIZE', 'has 64M', 'got 32M')
    await grow(2 * size)
    expect(await sizes()).toEqual({...grown, disk: 128, 'cc-root': 123})
  })

  it('lets one of two runs at a time do the work', async () => {
    const results = await Promise.allSettled([grow(), grow(2 * size)])
    for (const result of results) {
      if (result.status === 'rejected') expect((result.reason as CcError).code).toMatch(/^E_(LOCKED|SIZE)$/)
    }
    expect(results.some(({status}) => status === 'fulfilled')).toBe(true)
    await sizes()
  })

  it('shows the commands, and these do it', async () => {
    const before = await state()
    const plan = await planGrow({image, sizeBytes: size})
    const lines = showGrow(plan)
    expect(await state()).toEqual(before)
    expect(lines.at(-1)).toBe(
      `# write ${join(image, 'manifest.json')}: disk.bytes ${size}, size of cc-root ${59 * mebibyte}`,
    )
    await run(['bash', '-ec', lines.join('\n')])
    await writeManifest(image, plan.manifest)
    expect(await sizes()).toEqual(grown)
  })
})

describe('growImage refuses, and touches nothing', () => {
  it('a size below the one it has, naming both', () =>
    refuses(() => grow(4 * mebibyte), 'E_SIZE', 'has 8M and cannot become smaller', 'got 4M'))

  it.each([size + 512, 0, 2 ** 42 + mebibyte])('a disk of %i bytes', (bytes) => refuses(() => grow(bytes), 'E_SIZE'))

  it('no image', () => refuses(() => grow(size, join(image, 'none')), 'E_IMAGE', 'there is no image'))

  it('an image without its manifest', async () => {
    await rm(join(image, 'manifest.json'))
    await refuses(grow, 'E_IMAGE', 'manifest.json cannot be read')
  })

  it('an image without its disk', async () => {
    await rm(disk())
    await refuses(grow, 'E_IMAGE', 'image.qcow2 is missing')
  })

  it('a raw disk', async () => {
    await qemuImg('convert', '-O', 'raw', disk(), `${disk()}.raw`)
    await rename(`${disk()}.raw`, disk())
    await refuses(grow, 'E_IMAGE', 'is not a qcow2')
  })

  it.each(['luks', 'aes'])('a qcow2 that is encrypted by %s', async (format) => {
    await writeFile(join(image, 'secret'), '12345678')
    const secret = ['--object', `secret,id=s,file=${join(image, 'secret')}`, '-o', `encrypt.format=${format}`]
    const iterations = format === 'luks' ? ['-o', 'encrypt.iter-time=10'] : []
    const words = ['create', '-f', 'qcow2', ...secret, ...iterations, '-o', 'encrypt.key-secret=s', disk(), '8M']
    // QEMU measures the processor first, and one time in three it cannot.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if ((await run(['qemu-img', ...words], {check: false})).exitCode === 0) break
    }
    expect((await qemuImg('info', disk())).stdout).toContain('encrypted: yes')
    await refuses(grow, 'E_IMAGE', 'is an encrypted qcow2')
  })

  it('a qcow2 with a snapshot', async () => {
    await qemuImg('snapshot', '-c', 'before', disk())
    await refuses(grow, 'E_IMAGE', 'has 1 internal snapshot')
  })

  it('a layer over another image', async () => {
    await rename(disk(), join(image, 'base.qcow2'))
    await qemuImg('create', '-f', 'qcow2', '-b', join(image, 'base.qcow2'), '-F', 'qcow2', disk())
    await refuses(grow, 'E_IMAGE', 'is a layer over')
  })

  it('a disk that is truncated', async () => {
    await writeFile(disk(), (await readFile(disk())).subarray(0, 100))
    await refuses(grow, 'E_IMAGE')
  })

  it('a disk that a virtual machine has', async () => {
    const machine = spawn('qemu-system-x86_64', [
      ...['-machine', 'q35', '-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', '-S', '-qmp', 'stdio'],
      ...['-drive', `file=${disk()},if=virtio,format=qcow2`],
    ])
    const ended = once(machine, 'exit')
    onTestFinished(async () => {
      machine.kill('SIGKILL')
      await ended
    })
    await once(machine.stdout, 'data') // The greeting: by then it has its disks.
    await refuses(grow, 'E_LOCKED', 'image.qcow2 is in use')
  })
})

describe('growImage compares the disk with its manifest', () => {
  const first = (change: Partial<Manifest['partitions'][number]>) => (before: Manifest) => ({
    ...before,
    partitions: before.partitions.map((partition, index) => (index === 0 ? {...partition, ...change} : partition)),
  })

  it.each<[string, (before: Manifest) => Manifest]>([
    ['the size of cc-app is 2M, in the manifest it is 1M', first({size: mebibyte})],
    ['the start of cc-app is 1M, in the manifest it is 2M', first({start: 2 * mebibyte})],
    ["0 partitions are named cc-other; the manifest has no partition 'cc-app'", first({name: 'cc-other'})],
    ['the disk is 8M, in the manifest it is 9M', (before) => ({...before, disk: {bytes: 9 * mebibyte}})],
    ["the manifest has no partition 'cc-app'", (before) => ({...before, partitions: before.partitions.slice(1)})],
    [
      'cc-app is not the last partition',
      (before) => ({
        ...before,
        partitions: before.partitions.map((partition) => ({...partition, grow: partition.name === 'cc-app'})),
      }),
    ],
  ])('%s', async (message, change) => {
    await writeManifest(image, change(manifest()))
    await refuses(grow, 'E_IMAGE', 'not as its manifest says', message)
  })

  it('which has to have a partition that grows', async () => {
    const before = manifest()
    await writeManifest(image, {...before, partitions: before.partitions.map((other) => ({...other, grow: false}))})
    await refuses(grow, 'E_LAYOUT', 'no partition that grows')
  })

  it('which cannot be an MBR', async () => {
    const raw = join(image, 'raw')
    await run(['bash', '-ec', `truncate -s 8M ${raw}; echo ',' | sfdisk -q --label dos ${raw}`])
    await qemuImg('convert', '-O', 'qcow2', raw, disk())
    await refuses(grow, 'E_IMAGE', 'the partition table is dos, in the manifest it is gpt')
  })
})
