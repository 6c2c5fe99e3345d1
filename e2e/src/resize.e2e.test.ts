import {execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {beforeAll, describe, expect, it} from 'vitest'

import {manifestSchema, readImageDirectory, type Manifest} from 'cc-core/manifest'
import {findAltered} from 'cc-core/seal'

import {boot, copyImage} from '../lib/boot.js'
import {cc, errorOf, folder, lab, runAsUser} from '../lib/lab.js'
import {asUser, testUser} from '../lib/user.js'

const gibibyte = 1024 ** 3
const mebibyte = 1024 ** 2

const manifestOf = (image: string): Manifest =>
  manifestSchema.parse(JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')))
const diskOf = (image: string) => join(image, `${manifestOf(image).name}.qcow2`)
const onDisk = (file: string) => statSync(file).blocks * 512
const resize = (image: string, size: string) => cc('cc-resize', ['--image', image, '--size', size, '--json'])

/** The size of the disk and of each partition, and where it begins: as a guest will see them, and as the manifest has them. */
async function geometry(image: string): Promise<{disk: number; partitions: Record<string, number[]>}> {
  const info = await runAsUser(['qemu-img', 'info', '--output', 'json', diskOf(image)])
  const disk = (JSON.parse(info.stdout) as {'virtual-size': number})['virtual-size']
  const step = join(lab().scripts, 'disk/grow-read-table.sh')
  const table = await runAsUser(['bash', step, '--disk', diskOf(image), '--size', String(disk)])
  expect(table.exitCode, table.stderr).toBe(0)
  const {partitiontable} = JSON.parse(table.stdout) as {
    partitiontable: {partitions: {name: string; start: number; size: number}[]}
  }
  return {
    disk,
    partitions: Object.fromEntries(
      partitiontable.partitions.map(({name, start, size}) => [name, [start * 512, size * 512]]),
    ),
  }
}

function geometryOf({disk, partitions}: Manifest): Awaited<ReturnType<typeof geometry>> {
  return {
    disk: disk.bytes,
    partitions: Object.fromEntries(partitions.map(({name, start, size}) => [name, [start, size]])),
  }
}

/** Bytes of each file system, from what the guest says of itself. */
async function fileSystems(image: string): Promise<Record<string, number>> {
  const {console: lines, ended} = await boot(image)
  expect(ended, lines.join('\n')).toBe('came-up')
  const line = lines.find((candidate) => candidate.includes('CC-BOOT {')) ?? ''
  const {partitions} = JSON.parse(line.slice(line.indexOf('{'))) as {partitions: {name: string; bytes: number}[]}
  return Object.fromEntries(partitions.map(({name, bytes}) => [name, bytes]))
}

describe('an image that is grown to 4G', () => {
  let image: string

  beforeAll(async () => {
    image = copyImage('resize-boot')
    const result = await resize(image, '4G')
    expect(result.exitCode, result.stdout).toBe(0)
    expect(JSON.parse(result.stdout)).toMatchObject({image, changed: true, disk: {to: 4 * gibibyte}})
  })

  it('is one in its partition table and in its manifest', async () => {
    const after = await geometry(image)
    expect(after).toEqual(geometryOf(manifestOf(image)))
    const {partitions: before} = geometryOf(manifestOf(lab().image))
    const start = before['cc-root']?.[0] ?? 0
    expect(after).toEqual({
      disk: 4 * gibibyte,
      partitions: {...before, 'cc-root': [start, 4 * gibibyte - mebibyte - start]},
    })
  })

  it('holds the same content', async () => {
    expect(await findAltered(await readImageDirectory(image), folder('resize-scratch'))).toEqual([])
  })

  it('has a root file system that fills its partition after one boot, and the others as they were', async () => {
    const before = await fileSystems(copyImage('resize-before'))
    const after = await fileSystems(image)
    const partition = manifestOf(image).partitions.find(({name}) => name === 'cc-root')?.size ?? 0
    expect(before['cc-root']).toBeLessThan(gibibyte)
    // What ext4 keeps for itself: inodes, bitmaps and the journal.
    expect(after['cc-root']).toBeGreaterThan(partition * 0.9)
    expect(after['cc-root']).toBeLessThanOrEqual(partition)
    expect({...after, 'cc-root': 0}).toEqual({...before, 'cc-root': 0})
  })
})

describe('an image that is grown to 40G', () => {
  // How long it takes is for the benchmark to say: here other machines run beside it.
  it('takes the room of its content', async () => {
    const image = copyImage('resize-40g')
    const before = onDisk(diskOf(image))
    expect((await resize(image, '40G')).exitCode).toBe(0)
    expect(onDisk(diskOf(image)) - before).toBeLessThan(mebibyte)
  })
})

describe('an image whose growing is killed', () => {
  it('is whole at any moment, and grown after a second run', async () => {
    const image = copyImage('resize-kill')
    const {partitions: old} = geometryOf(manifestOf(image))
    const bin = join(lab().bin, 'cc-resize')
    let interrupted = 0
    for (let round = 0; round < 14; round += 1) {
      const size = `${round + 1}G`
      const words = [...asUser(testUser), process.execPath, bin, '--image', image, '--size', size]
      const child = spawn('env', words, {stdio: 'ignore'})
      const ended = once(child, 'exit')
      await Promise.race([ended, sleep(150 + 60 * round)])
      child.kill('SIGKILL')
      await ended
      await unlocked(diskOf(image))

      const {disk, partitions} = await geometry(image)
      const manifest = manifestOf(image)
      expect(disk).toBeGreaterThanOrEqual(manifest.disk.bytes)
      for (const [name, [start]] of Object.entries(old)) expect(partitions[name]?.[0]).toBe(start)
      const check = await runAsUser(['qemu-img', 'check', '-q', diskOf(image)])
      expect([0, 3], check.stderr).toContain(check.exitCode) // 3: unused clusters, which are waste and not damage
      if (manifest.disk.bytes !== (round + 1) * gibibyte) interrupted += 1

      const again = await resize(image, size)
      expect(again.exitCode, again.stdout).toBe(0)
      expect(await geometry(image)).toEqual(geometryOf(manifestOf(image)))
      expect(manifestOf(image).disk.bytes).toBe((round + 1) * gibibyte)
    }
    expect(interrupted).toBeGreaterThan(0)
    expect(existsSync(join(image, '.resize.lock'))).toBe(false)
    expect(await findAltered(await readImageDirectory(image), folder('resize-kill-scratch'))).toEqual([])
  })
})

/** What a killed command had started dies a moment after it. */
async function unlocked(disk: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if ((await runAsUser(['qemu-img', 'info', disk])).exitCode === 0) return
    await sleep(100)
  }
  throw new Error(`${disk} stays locked`)
}

describe('cc-resize leaves an image alone', () => {
  it.each([
    ['the qcow2', (image: string) => diskOf(image), '444'],
    ['the directory', (image: string) => image, '555'],
  ])('when %s is read-only', async (_, path, mode) => {
    const image = copyImage(`resize-mode-${mode}`)
    execFileSync('chmod', [mode, path(image)])
    const before = [statSync(diskOf(image)).mtimeMs, readFileSync(join(image, 'manifest.json'), 'utf8')]
    const result = await resize(image, '4G')
    expect(errorOf(result)).toMatchObject({code: 'E_IMAGE', exitCode: 4})
    expect(errorOf(result).message).toContain('is read-only')
    expect([statSync(diskOf(image)).mtimeMs, readFileSync(join(image, 'manifest.json'), 'utf8')]).toEqual(before)
  })
})
