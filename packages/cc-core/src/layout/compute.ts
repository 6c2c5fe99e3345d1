import {formatSize} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {uuidFromSeed} from './guid.js'

/** Partitions start and end on this: it fits every erase block, RAID stripe and file system block. */
export const alignment = 1024 * 1024

/** The second GPT, at the end of the disk, has 33 sectors; alignment makes it 1 MiB. The first has its 1 MiB, too. */
const gptBytes = alignment

/**
 * GPT partition types. Ours are all plain Linux data: the types of the Discoverable Partitions Specification would
 * make a host or a guest mount them by itself.
 */
export const typeGuids = {
  linux: '0fc63daf-8483-4772-8e79-3d69d8477de4',
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
} as const

/** The EFI system partition of base and FLARE images: first on the disk, and never mounted by the guest. */
export const espName = 'cc-esp'

export interface PartitionRequest {
  name: string
  /** Bytes that it has to hold: file system, hash tree and header. */
  contentBytes: number
  /** Its configured size in bytes; null = what the content needs. */
  size: number | null
  /** It takes what is left of the disk, and is laid last. */
  grow?: boolean
  type?: keyof typeof typeGuids
}

export interface LayoutRequest {
  partitions: readonly PartitionRequest[]
  /** Bytes, rounded down to the alignment; null = the smallest disk that fits. */
  diskSize: number | null
  /** What the GUIDs are made from. */
  seed: string
}

export interface PlannedPartition {
  name: string
  /** 1 for the first on the disk. */
  number: number
  startBytes: number
  sizeBytes: number
  typeGuid: string
  partGuid: string
}

export interface DiskLayout {
  diskBytes: number
  diskGuid: string
  /** In their order on the disk. */
  partitions: PlannedPartition[]
}

/**
 * Where each partition lies.
 * @throws CcError E_SIZE that names the partition, what it has and what it needs
 */
export function computeLayout({partitions, diskSize, seed}: LayoutRequest): DiskLayout {
  const ordered = [
    ...partitions.filter((partition) => !partition.grow),
    ...partitions.filter((partition) => partition.grow),
  ]
  let offset = gptBytes
  const planned = ordered.map((partition, index): PlannedPartition => {
    const startBytes = offset
    offset += smallestSize(partition)
    return {
      name: partition.name,
      number: index + 1,
      startBytes,
      sizeBytes: offset - startBytes,
      typeGuid: typeGuids[partition.type ?? 'linux'],
      partGuid: uuidFromSeed(seed, `partition ${partition.name}`),
    }
  })

  const smallestDisk = offset + gptBytes
  const diskBytes = diskSize === null ? smallestDisk : alignDown(diskSize)
  const last = planned.at(-1)
  if (last !== undefined) {
    const available = diskBytes - gptBytes - last.startBytes
    if (available < last.sizeBytes) throw diskTooSmall(diskSize ?? diskBytes, smallestDisk, last, available)
    if (ordered.at(-1)?.grow) last.sizeBytes = available
  }
  return {diskBytes, diskGuid: uuidFromSeed(seed, 'disk'), partitions: planned}
}

function smallestSize({name, size, contentBytes, grow}: PartitionRequest): number {
  const needed = Math.max(alignUp(contentBytes), alignment)
  if (size === null) return needed
  if (alignDown(size) >= needed) return alignDown(size)
  const key = `layout.partitions.${name}.size`
  throw new CcError('E_SIZE', `${name}: has ${formatSize(size)}, needs ${mebibytes(needed)}`, {
    suggestions: [`set ${key} to ${mebibytes(needed)} or more${grow ? ', or leave it out: it grows' : ', or to null'}`],
  })
}

function diskTooSmall(disk: number, needed: number, last: PlannedPartition, available: number): CcError {
  const has = mebibytes(Math.max(available, 0))
  return new CcError(
    'E_SIZE',
    `${last.name}: has ${has} on a disk of ${formatSize(disk)}, needs ${mebibytes(last.sizeBytes)}; the disk needs ${mebibytes(needed)}`,
    {suggestions: [`set layout.size to ${mebibytes(needed)} or more, or to null`]},
  )
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / alignment)}M`
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment
}

function alignDown(bytes: number): number {
  return Math.floor(bytes / alignment) * alignment
}
