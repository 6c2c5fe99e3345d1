import {constants} from 'node:fs'
import {access, realpath, statfs} from 'node:fs/promises'

import {formatSize} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {formatCommand} from '../exec/index.js'
import {alignment} from '../layout/index.js'
import {readImageDirectory, sharedPath, type ImageDirectory, type Manifest} from '../manifest/index.js'
import {callStep, planStep, type PlannedStep} from '../steps/index.js'
import {growingPartition, readDiskSize, readGrowingSize} from './disk.js'
import {signatureWarnings} from './statements.js'

/** Which image, and how large its disk is to be. */
export interface GrowRequest {
  /** Path of the image directory, or of the qcow2 in it. */
  image: string
  /** Bytes; a multiple of 1 MiB. */
  sizeBytes: number
}

/** Bytes before and after. */
export interface Growth {
  from: number
  to: number
}

/** What has to be done, and what it leads to. */
export interface GrowPlan {
  image: ImageDirectory
  disk: Growth
  partition: Growth & {name: string}
  /** None where the image is as large already. */
  steps: PlannedStep[]
  /** The manifest to be. */
  manifest: Manifest
  /** What may go wrong later, in words. */
  warnings: string[]
}

/** The largest disk whose root file system was seen to follow at the first boot; at 8T it did not. */
const largest = 4 * 1024 ** 4

/**
 * Plan the growing of an image. Looks at the image, changes nothing.
 * @throws E_SIZE for a size below the one that the image has, E_LOCKED where it is in use, E_SPACE, and E_IMAGE for
 * what is not a whole image of ours that we may write
 */
export async function planGrow({image: path, sizeBytes}: GrowRequest, signal?: AbortSignal): Promise<GrowPlan> {
  checkSize(sizeBytes)
  // Also by one of the other names that a qcow2 has in its directory.
  const image = await readImageDirectory(await realpath(path).catch(() => path))
  const {manifest} = image
  const disk = image.file(`${manifest.name}.qcow2`)
  const growing = growingPartition(image)
  await checkAccess(image, disk)

  const info = await callStep(await planStep('disk/grow-inspect', {disk}), {signal})
  const size = readDiskSize(disk, info, manifest.shared && sharedPath(manifest.shared.name))
  const readTable = await planStep('disk/grow-read-table', {disk, size: size.virtual})
  const partitionSize = readGrowingSize(image, size.virtual, await callStep(readTable, {signal}))
  if (sizeBytes < size.virtual) throw tooSmall(image, size.virtual, sizeBytes)

  const grown = sizeBytes - alignment - growing.start
  const done = sizeBytes === manifest.disk.bytes && partitionSize === grown
  return {
    image,
    disk: {from: manifest.disk.bytes, to: sizeBytes},
    partition: {name: growing.name, from: growing.size, to: grown},
    steps: done
      ? []
      : [
          await planStep('disk/grow-disk', {disk, size: sizeBytes}),
          await planStep('disk/grow-table', {disk, size: sizeBytes, name: growing.name}),
        ],
    manifest: {
      ...manifest,
      disk: {bytes: sizeBytes},
      partitions: manifest.partitions.map((partition) =>
        partition === growing ? {...partition, size: grown} : partition,
      ),
    },
    warnings: done ? [] : [...signatureWarnings(image), ...(await checkSpace(image.path, sizeBytes, size.actual))],
  }
}

/** The plan as lines that a person can run one by one, and a comment for what we write ourselves. */
export function showGrow(plan: GrowPlan): string[] {
  if (plan.steps.length === 0) return []
  return [...plan.steps.map(({argv}) => formatCommand(argv)), `# ${manifestTitle(plan)}`]
}

/** What is written behind the steps, in words. */
export function manifestTitle({image, disk, partition}: GrowPlan): string {
  return `write ${image.file('manifest.json')}: disk.bytes ${disk.to}, size of ${partition.name} ${partition.to}`
}

function checkSize(bytes: number): void {
  if (bytes > largest) throw new CcError('E_SIZE', `${formatSize(bytes)} is more than ${formatSize(largest)}`)
  if (Number.isSafeInteger(bytes) && bytes > 0 && bytes % alignment === 0) return
  const mebibytes = Math.max(Math.floor(bytes / alignment), 1)
  throw new CcError('E_SIZE', `the size of a disk is a multiple of 1M, got ${formatSize(bytes)}`, {
    suggestions: [`${mebibytes}M or ${mebibytes + 1}M`],
  })
}

function tooSmall({path}: ImageDirectory, has: number, wanted: number): CcError {
  return new CcError('E_SIZE', `${path} has ${formatSize(has)} and cannot become smaller, got ${formatSize(wanted)}`, {
    suggestions: [`${formatSize(has)} or more`],
  })
}

/** Both the disk and the manifest are to be written, and before the first of them we know that we may. */
async function checkAccess({path}: ImageDirectory, disk: string): Promise<void> {
  for (const [file, mode] of [
    [disk, constants.R_OK | constants.W_OK],
    [path, constants.W_OK | constants.X_OK],
  ] as const) {
    try {
      await access(file, mode)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      const what =
        code === 'ENOENT' ? 'is missing' : code === 'EROFS' ? 'is on a read-only file system' : 'is read-only'
      throw new CcError('E_IMAGE', `${file} ${what}`, {
        suggestions: [code === 'ENOENT' ? 'build the image again' : 'grow a copy that you may write'],
        reason: error,
      })
    }
  }
}

/**
 * Growing takes little: a table of 8 bytes for each 512 MiB, and some clusters. The new space takes room only when the
 * guest writes to it, so that a file system which could not hold all of it is no error yet.
 */
async function checkSpace(folder: string, sizeBytes: number, actual: number): Promise<string[]> {
  const {bavail, bsize} = await statfs(folder)
  const free = bavail * bsize
  const needed = alignment + sizeBytes / 2 ** 26
  if (free < needed) {
    throw new CcError('E_SPACE', `the file system of ${folder} has ${free} bytes left, growing needs about ${needed}`, {
      suggestions: ['free some space'],
    })
  }
  const rest = sizeBytes - actual
  if (free >= rest) return []
  const [wants, has] = [rest, free].map((bytes) => `${Math.round(bytes / alignment)}M`)
  return [
    `the image may come to take ${wants} more as the guest fills it; the file system of ${folder} has ${has} left`,
  ]
}
