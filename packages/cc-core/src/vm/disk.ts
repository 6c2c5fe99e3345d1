import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {run} from '../exec/index.js'

const diskInfo = z.object({
  format: z.string(),
  'virtual-size': z.int().nonnegative(),
  'actual-size': z.int().nonnegative(),
  encrypted: z.boolean().default(false),
  'backing-filename': z.string().optional(),
  snapshots: z.array(z.unknown()).default([]),
  'format-specific': z
    .object({data: z.object({corrupt: z.boolean().default(false), 'data-file': z.string().optional()}).optional()})
    .optional(),
})

/** What qemu-img(1) says of a disk image; sizes in bytes. */
export interface DiskInfo {
  format: string
  virtualSize: number
  /** What it takes on the host. */
  actualSize: number
  encrypted: boolean
  corrupt: boolean
  snapshots: number
  /** Other files that it needs. */
  otherFiles: string[]
}

/** @throws E_IMAGE for a file that is no qcow2 */
export async function inspectDisk(file: string, signal?: AbortSignal): Promise<DiskInfo> {
  const argv = ['qemu-img', 'info', '--force-share', '--format', 'qcow2', '--output', 'json', file]
  const {exitCode, stdout, stderr} = await run(argv, {check: false, collect: true, ...(signal && {signal})})
  if (exitCode !== 0) throw new CcError('E_IMAGE', `${file} is no qcow2: ${stderr.replace(/^qemu-img: /, '')}`)
  const info = diskInfo.parse(JSON.parse(stdout))
  const data = info['format-specific']?.data
  return {
    format: info.format,
    virtualSize: info['virtual-size'],
    actualSize: info['actual-size'],
    encrypted: info.encrypted,
    corrupt: data?.corrupt ?? false,
    snapshots: info.snapshots.length,
    otherFiles: [info['backing-filename'], data?.['data-file']].filter((name) => name !== undefined),
  }
}

const table = z.object({
  partitiontable: z.object({
    label: z.string(),
    id: z.string(),
    sectorsize: z.int().positive().default(512),
    partitions: z
      .array(
        z.object({
          name: z.string().default(''),
          start: z.int().nonnegative(),
          size: z.int().positive(),
          type: z.string(),
          // A DOS table has none.
          uuid: z.string().default(''),
          attrs: z.string().default(''),
        }),
      )
      .default([]),
  }),
})

/** A partition table; offsets and sizes in bytes, GUIDs in lower case. */
export interface PartitionTable {
  label: string
  diskGuid: string
  partitions: {name: string; start: number; size: number; typeGuid: string; partGuid: string; attributes: string}[]
}

/**
 * The partition table of a raw disk, as sfdisk(8) reads it.
 * @throws E_IMAGE where there is none
 */
export async function readPartitionTable(file: string, signal?: AbortSignal): Promise<PartitionTable> {
  const {exitCode, stdout, stderr} = await run(['sfdisk', '--json', file], {
    ...{check: false, collect: true},
    ...(signal && {signal}),
  })
  if (exitCode !== 0) throw new CcError('E_IMAGE', `there is no partition table: ${stderr.split('\n').at(-1) ?? ''}`)
  const {label, id, sectorsize, partitions} = table.parse(JSON.parse(stdout)).partitiontable
  return {
    label,
    diskGuid: id.toLowerCase(),
    partitions: partitions.map(({name, start, size, type, uuid, attrs}) => ({
      ...{name, start: start * sectorsize, size: size * sectorsize},
      ...{typeGuid: type.toLowerCase(), partGuid: uuid.toLowerCase(), attributes: attrs},
    })),
  }
}
