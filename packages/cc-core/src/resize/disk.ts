import {z} from 'zod'

import {formatSize} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {alignment} from '../layout/index.js'
import type {ImageDirectory, ManifestPartition} from '../manifest/index.js'

/** What we read of `qemu-img info --output json`. */
const infoSchema = z.object({
  'virtual-size': z.int().positive(),
  'actual-size': z.int().nonnegative(),
  encrypted: z.boolean().default(false),
  'backing-filename': z.string().optional(),
  snapshots: z.array(z.unknown()).default([]),
  'format-specific': z.object({
    data: z.object({corrupt: z.boolean().default(false), 'data-file': z.string().optional()}),
  }),
})

/** What we read of `sfdisk --json`. */
const tableSchema = z.object({
  partitiontable: z.object({
    label: z.string(),
    sectorsize: z.int().positive().default(512),
    partitions: z.array(z.object({name: z.string().default(''), start: z.int(), size: z.int()})).default([]),
  }),
})

/** Sizes of a qcow2 in bytes. */
export interface DiskSize {
  /** As a guest sees it. */
  virtual: number
  /** What it takes on the file system. */
  actual: number
}

/**
 * The size of a disk that can grow in place.
 * @param disk its path, for messages
 * @param json what `qemu-img info` says of it
 * @param shared the file that the disk may lean on, by its path from the disk
 * @throws E_IMAGE for a qcow2 that is encrypted, damaged, or not all of the image
 */
export function readDiskSize(disk: string, json: string, shared?: string): DiskSize {
  const info = infoSchema.parse(JSON.parse(json))
  const {corrupt, 'data-file': dataFile} = info['format-specific'].data
  const below = info['backing-filename']
  const flatten = 'make one file of it: qemu-img convert -O qcow2'
  const problems: [boolean, string, string][] = [
    [info.encrypted, 'is an encrypted qcow2', 'name an image as it was built: it is encrypted by partition'],
    [corrupt, 'is marked as damaged', `qemu-img check -r all '${disk}', or take an undamaged copy`],
    [below !== undefined && below !== shared, `is a layer over '${below ?? ''}'`, flatten],
    [dataFile !== undefined, `has its data in another file, '${dataFile ?? ''}'`, flatten],
    [info.snapshots.length > 0, `has ${info.snapshots.length} internal snapshot(s)`, `qemu-img snapshot -l '${disk}'`],
  ]
  for (const [wrong, what, suggestion] of problems) {
    if (wrong) throw new CcError('E_IMAGE', `${disk} ${what}`, {suggestions: [suggestion]})
  }
  return {virtual: info['virtual-size'], actual: info['actual-size']}
}

/**
 * The partition of an image that takes the rest of its disk.
 * @throws E_LAYOUT where it has none
 */
export function growingPartition({path, manifest}: ImageDirectory): ManifestPartition {
  const partition = manifest.partitions.find(({grow}) => grow)
  if (partition !== undefined) return partition
  throw new CcError('E_LAYOUT', `${path} has no partition that grows`, {
    suggestions: ['build it with `grow: true` on one partition of the layout'],
  })
}

/**
 * Compare the disk of an image with its manifest. A resize that was interrupted may have left the disk and the
 * partition that grows larger than the manifest says, and nothing else.
 * @param virtual bytes of the disk as a guest sees it
 * @param json what `sfdisk --json` says of it
 * @returns bytes of the partition that grows
 * @throws E_IMAGE naming what is not as the manifest says
 */
export function readGrowingSize({path, manifest}: ImageDirectory, virtual: number, json: string): number {
  const {label, sectorsize, partitions} = tableSchema.parse(JSON.parse(json)).partitiontable
  const found = partitions.map(({name, start, size}) => ({name, start: start * sectorsize, size: size * sectorsize}))
  const problems: string[] = []
  const differs = (what: string, has: string, said: string) =>
    problems.push(`${what} is ${has}, in the manifest it is ${said}`)
  if (label !== 'gpt') differs('the partition table', label, 'gpt')
  if (virtual < manifest.disk.bytes) differs('the disk', formatSize(virtual), formatSize(manifest.disk.bytes))
  let grown = 0
  for (const partition of manifest.partitions) {
    const {name, start, size} = partition
    const same = found.filter((candidate) => candidate.name === name)
    const [actual] = same
    if (actual === undefined || same.length > 1) {
      problems.push(`${same.length} partitions are named ${name}`)
      continue
    }
    if (actual.start !== start) differs(`the start of ${name}`, formatSize(actual.start), formatSize(start))
    if (partition.grow) grown = actual.size
    const fits = partition.grow
      ? actual.size >= size && start + actual.size <= virtual - alignment
      : actual.size === size
    if (!fits) differs(`the size of ${name}`, formatSize(actual.size), formatSize(size))
    if (partition.grow && found.some((other) => other.start > actual.start))
      problems.push(`${name} is not the last partition`)
  }
  const names = manifest.partitions.map(({name}) => name)
  for (const {name} of found) if (!names.includes(name)) problems.push(`the manifest has no partition '${name}'`)
  if (problems.length === 0) return grown
  throw new CcError('E_IMAGE', `${path}: the disk is not as its manifest says: ${problems.join('; ')}`, {
    suggestions: ['build the image again, or take an unaltered copy'],
  })
}
