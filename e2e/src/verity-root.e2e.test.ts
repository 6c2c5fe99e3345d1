import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {manifestSchema} from 'cc-core/manifest'

import {boot, bootReport} from '../lib/boot.js'
import {buildOf, cc, folder, lab, runAsUser} from '../lib/lab.js'

describe('a root with dm-verity under its encryption', () => {
  let image: string
  beforeAll(async () => {
    const args = ['--iso', lab().iso['debian-12'], '--output', folder('verity-root'), '--work-dir', lab().workDir]
    const sets = ['layout.partitions.cc-root.integrity=verity', 'layout.overlaySize=64M']
    const words = [...args, '--json', ...sets.flatMap((set) => ['--set', set])]
    image = buildOf(await cc('cc-image-installer', words)).image
  })

  it('boots with a writable layer in memory, of the size that is configured', async () => {
    const root = {name: 'cc-root', state: 'encrypted', integrity: 'verity', bytes: 64 * 1024 * 1024}
    expect(await bootReport(image, 'cc-root')).toMatchObject(root)
  })

  it('stops the kernel at a block of the file system that was changed on the disk', async () => {
    const {name, partitions} = manifestSchema.parse(JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')))
    const start = partitions.find((partition) => partition.name === 'cc-root')?.start ?? 0
    // One byte of the first block: its superblock, which is read by every mount.
    const write = ['qemu-io', '-f', 'qcow2', '-c', `write -P 88 ${start + 1024} 1`, join(image, `${name}.qcow2`)]
    expect((await runAsUser(write)).exitCode).toBe(0)
    const {console: lines, ended} = await boot(image)
    expect(ended).toBe('powered-off')
    expect(lines.join('\n')).toMatch(/verity.*corrupt|root hash/)
  })
})
