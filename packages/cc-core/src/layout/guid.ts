import {createHash} from 'node:crypto'

/**
 * A UUID that depends on its inputs alone, so that the same build gives the same image.
 * @returns lower case, version 8 (RFC 9562: content by the application)
 */
export function uuidFromSeed(seed: string, name: string): string {
  const bytes = createHash('sha256').update(`${seed}\0${name}`).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
