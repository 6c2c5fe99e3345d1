import {readFile, writeFile} from 'node:fs/promises'

import {run} from 'cc-core/exec'
import {remove} from 'cc-core/fs'

/** Options of one word of QEMU are separated by commas; one in a value is doubled. */
const word = (value: string) => value.replaceAll(',', ',,')

/** A part of a qcow2 as an image of its own. */
const windowOf = (disk: string, offset: number, bytes: number) =>
  `driver=raw,offset=${offset},size=${bytes},file.driver=qcow2,file.file.driver=file,file.file.filename=${word(disk)}`

/** Change bytes of a disk, as its owner can. Offset and length are multiples of nothing. */
export async function fill(disk: string, offset: number, bytes: number, pattern: number): Promise<void> {
  const command = pattern === 0 ? `write -z ${offset} ${bytes}` : `write -P ${pattern} ${offset} ${bytes}`
  const {stdout} = await run(['qemu-io', '-f', 'qcow2', '-c', command, disk])
  if (!stdout.includes(`wrote ${bytes}/${bytes} bytes`)) throw new Error(`qemu-io did not write: ${stdout}`)
}

/** Read bytes of a disk; both numbers are multiples of 512. */
export async function readBytes(disk: string, offset: number, bytes: number, scratch: string): Promise<Buffer> {
  await run(['qemu-img', 'convert', '-O', 'raw', '--image-opts', windowOf(disk, offset, bytes), scratch])
  const content = await readFile(scratch)
  remove(scratch)
  return content
}

/** Write a file into a disk; the offset is a multiple of 512. */
export async function placeFile(disk: string, offset: number, file: string, bytes: number): Promise<void> {
  await run([
    ...['qemu-img', 'convert', '-n', '-f', 'raw', file],
    ...['--target-image-opts', windowOf(disk, offset, bytes)],
  ])
}

/** Write bytes into a disk; the number of bytes and the offset are multiples of 512. */
export async function placeBytes(disk: string, offset: number, content: Buffer, scratch: string): Promise<void> {
  await writeFile(scratch, content)
  await placeFile(disk, offset, scratch, content.length)
  remove(scratch)
}
