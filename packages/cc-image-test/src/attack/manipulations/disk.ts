import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {ManifestPartition} from 'cc-core/manifest'

import type {Bench} from '../bench.js'
import {fill, placeFile} from '../disk-edit.js'
import {hostileFilesystem} from '../hostile-disk.js'
import {tampered, type Tampering} from './tampered.js'

const block = 4096
const pattern = 0xa5

export function partitionOf({subject}: Bench, name: string): ManifestPartition {
  const found = subject.image.manifest.partitions.find((partition) => partition.name === name)
  if (found === undefined) throw new Error(`the image has no partition ${name}`)
  return found
}

/** Why a partition cannot be what a manipulation needs, or null. */
export const without = (name: string, what: 'verity' | 'luks2' | 'any') => (bench: Bench) => {
  const found = bench.subject.image.manifest.partitions.find((partition) => partition.name === name)
  if (found === undefined) return `the image has no ${name}`
  if (what === 'verity' && found.verity === null) return `${name} of this image has no dm-verity`
  if (what === 'luks2' && found.encryption !== 'luks2') return `${name} of this image is not encrypted`
  return null
}

/** The kernel stops at a block that does not match; where it is the superblock the guest's own words may come first. */
export const verityStops = /verity.*corrupt|verity.*panic|content (was altered|does not match)|cannot be mounted/

type Place = (partition: ManifestPartition) => number

/** A few bytes of a partition under dm-verity, changed in place. */
const changed = (
  id: string,
  name: string,
  where: string,
  place: Place,
  {quick = false, rarelyRead = false} = {},
): Tampering => ({
  ...{id, quick, group: 'disk', title: `${name}: ${where} is changed`},
  action: `writes 16 bytes into ${where} of ${name}`,
  impossible: without(name, 'verity'),
  prepare: async ({disk}, bench) => {
    const partition = partitionOf(bench, name)
    await fill(disk, partition.start + place(partition), 16, pattern)
  },
  detected: verityStops,
  because: rarelyRead
    ? 'a block of the root is checked when it is read: one that nothing reads is not used'
    : 'dm-verity has another hash for it in the measured initrd',
  ...(rarelyRead && {powerless: true as const}),
})

const blocks = ({verity}: ManifestPartition) => verity?.blocks ?? 0

export const diskManipulations = tampered([
  changed('root-first', 'cc-root', 'the first block', () => 1024, {quick: true}),
  changed('root-middle', 'cc-root', 'a block in the middle', (root) => Math.floor(blocks(root) / 2) * block, {
    rarelyRead: true,
  }),
  changed('root-last', 'cc-root', 'the last block of data', (root) => (blocks(root) - 1) * block + 4000, {
    rarelyRead: true,
  }),
  changed('root-tree', 'cc-root', 'the root of the hash tree', (root) => blocks(root) * block + 5),
  changed('root-tree-end', 'cc-root', 'the last block of the hash tree', ({content}) => (content?.bytes ?? 0) - block, {
    rarelyRead: true,
  }),
  changed('ro-data', 'cc-ro', 'the superblock', () => 1024 + 120),
  changed('ro-last', 'cc-ro', 'the last block of data', (ro) => (blocks(ro) - 1) * block + 4000),
  changed('ro-tree', 'cc-ro', 'the hash tree', (ro) => blocks(ro) * block + 5),
  {
    ...{id: 'root-half', group: 'disk', title: 'Half of cc-root is changed'},
    action: 'writes noise over the second quarter and the third quarter of the data of cc-root',
    impossible: without('cc-root', 'verity'),
    prepare: async ({disk}, bench) => {
      const root = partitionOf(bench, 'cc-root')
      const quarter = Math.floor(blocks(root) / 4) * block
      await fill(disk, root.start + quarter, 2 * quarter, pattern)
    },
    detected: verityStops,
    because: 'the first block that is read and does not match stops the kernel',
  },
  {
    ...{id: 'root-zeroed', group: 'disk', title: 'cc-root is wiped'},
    action: 'writes zeros over all of cc-root',
    prepare: async ({disk}, bench) => {
      const {start, size} = partitionOf(bench, 'cc-root')
      await fill(disk, start, Math.min(size, 1024 ** 3), 0)
    },
    detected:
      /cc: FAILED: cc-root: .*(cannot be mounted|does not match|altered|cannot be read)|verity.*(corrupt|panic)/,
    because: 'what is there decrypts to noise',
  },
  {
    ...{id: 'ro-zeroed', group: 'disk', title: 'cc-ro is wiped'},
    action: 'writes zeros over all of cc-ro',
    impossible: without('cc-ro', 'verity'),
    prepare: async ({disk}, bench) => {
      const {start, size} = partitionOf(bench, 'cc-ro')
      await fill(disk, start, Math.min(size, 1024 ** 3), 0)
    },
    detected: verityStops,
    because: 'dm-verity has other hashes in the measured initrd',
  },
  {
    ...{id: 'app-noise', group: 'disk', title: 'cc-app is filled with noise', quick: true},
    together: true,
    action: 'writes noise over the beginning of cc-app',
    impossible: (bench) =>
      without('cc-app', 'any')(bench) ??
      (partitionOf(bench, 'cc-app').key === 'tee-ephemeral' ? null : 'cc-app of this image outlives a boot'),
    prepare: async ({disk}, bench) => {
      const {start} = partitionOf(bench, 'cc-app')
      await fill(disk, start, 2 * 1024 ** 2, pattern)
    },
    powerless: true,
    because: 'it is formatted at each boot, with a new key: what was there is never read',
  },
  {
    ...{id: 'app-filesystem', group: 'disk', title: 'cc-app holds a file system of the host'},
    action: 'writes an ext4 with a setuid program and a broken journal into cc-app',
    impossible: (bench) =>
      without('cc-app', 'any')(bench) ??
      (partitionOf(bench, 'cc-app').key === 'tee-ephemeral' ? null : 'cc-app of this image outlives a boot'),
    prepare: async ({disk, folder}, bench) => {
      const {start, size} = partitionOf(bench, 'cc-app')
      const {file, bytes} = await hostileFilesystem(folder, Math.min(size, 16 * 1024 ** 2))
      await placeFile(disk, start, file, bytes)
    },
    powerless: true,
    because: 'it is formatted at each boot: no file system of the host is mounted',
  },
  {
    ...{id: 'out-noise', group: 'disk', title: 'cc-out holds noise'},
    action: 'writes noise over the area of the LUKS header of cc-out',
    impossible: without('cc-out', 'any'),
    prepare: async ({disk, folder}, bench) => {
      const noise = join(folder, 'noise')
      await writeFile(noise, Buffer.alloc(1024 ** 2, pattern))
      await placeFile(disk, partitionOf(bench, 'cc-out').start, noise, 1024 ** 2)
    },
    powerless: true,
    detected: /cc: FAILED: cc-out: /,
    because: 'without its key it stays closed, with its key the header is refused',
  },
])
