import {join} from 'node:path'

import {placeBytes, readBytes} from './disk-edit.js'
import type {Machine} from './machine.js'

const sector = 512
/** LBA 0 to 33: the protective MBR, the header, and 128 entries of 128 bytes (UEFI specification, chapter 5). */
const primarySectors = 34
const backupSectors = 33
const entryBytes = 128
const maximumEntries = 128

/** One entry of the table. The GUIDs are as on the disk; LBAs count sectors, the last one included. */
export interface GptEntry {
  type: Buffer
  guid: Buffer
  firstLba: bigint
  lastLba: bigint
  attributes: bigint
  name: string
}

function parseEntry(raw: Buffer): GptEntry {
  return {
    type: Buffer.from(raw.subarray(0, 16)),
    guid: Buffer.from(raw.subarray(16, 32)),
    ...{firstLba: raw.readBigUInt64LE(32), lastLba: raw.readBigUInt64LE(40), attributes: raw.readBigUInt64LE(48)},
    name: raw.subarray(56, 128).toString('utf16le').replace(/\0.*$/s, ''),
  }
}

function encodeEntry({type, guid, firstLba, lastLba, attributes, name}: GptEntry): Buffer {
  const raw = Buffer.alloc(entryBytes)
  type.copy(raw, 0)
  guid.copy(raw, 16)
  raw.writeBigUInt64LE(firstLba, 32)
  raw.writeBigUInt64LE(lastLba, 40)
  raw.writeBigUInt64LE(attributes, 48)
  Buffer.from(name, 'utf16le').copy(raw, 56, 0, 72)
  return raw
}

const isUsed = (raw: Buffer) => raw.subarray(0, 16).some((byte) => byte !== 0)

/**
 * Change the partition table of a machine's disk, both copies, with the right checksums: what sfdisk(8) would refuse to
 * write, a host writes nevertheless.
 */
export async function editTable(
  {disk, folder}: Pick<Machine, 'disk' | 'folder'>,
  diskBytes: number,
  change: (entries: GptEntry[]) => GptEntry[],
): Promise<void> {
  const scratch = join(folder, 'table')
  const primary = await readBytes(disk, 0, primarySectors * sector, scratch)
  const backupStart = diskBytes - backupSectors * sector
  const backup = await readBytes(disk, backupStart, backupSectors * sector, scratch)
  const raws = Array.from({length: maximumEntries}, (_, index) =>
    primary.subarray(2 * sector + index * entryBytes, 2 * sector + (index + 1) * entryBytes),
  )
  const entries = change(raws.filter(isUsed).map(parseEntry)).map(encodeEntry)
  const table = Buffer.concat([...entries, Buffer.alloc((maximumEntries - entries.length) * entryBytes)])
  table.copy(primary, 2 * sector)
  table.copy(backup, 0)
  seal(primary, sector, table)
  seal(backup, (backupSectors - 1) * sector, table)
  await placeBytes(disk, 0, primary, scratch)
  await placeBytes(disk, backupStart, backup, scratch)
}

/** The two checksums of a header: of the table, and of itself with zeros in the place of the checksum. */
function seal(copy: Buffer, at: number, table: Buffer): void {
  const bytes = copy.readUInt32LE(at + 12)
  copy.writeUInt32LE(crc32(table), at + 88)
  copy.writeUInt32LE(0, at + 16)
  copy.writeUInt32LE(crc32(copy.subarray(at, at + bytes)), at + 16)
}

const crcTable = Uint32Array.from({length: 256}, (_, index) => {
  let crc = index
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** CRC-32 of IEEE 802.3. (zlib.crc32 is not in every Node 20.) */
export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
