/** A file, or a folder where there is no content, of an archive. */
export interface ArchiveEntry {
  /** Without a leading slash. */
  path: string
  /** As in stat(2), with the type. */
  mode: number
  content?: Buffer
}

export const file = (path: string, content: Buffer | string, mode = 0o100644): ArchiveEntry => ({
  ...{path, mode},
  content: Buffer.from(content),
})
export const folder = (path: string): ArchiveEntry => ({path, mode: 0o040755})

/**
 * An archive as the kernel unpacks one into the initial file system, in the format newc
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
export function archive(entries: readonly ArchiveEntry[]): Buffer {
  return Buffer.concat([...entries, {path: 'TRAILER!!!', mode: 0}].map((entry, index) => record(entry, index + 1)))
}

function record({path, mode, content = Buffer.alloc(0)}: ArchiveEntry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`)
  // ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
  return Buffer.concat([pad(Buffer.concat([header, name])), pad(content)])
}

const pad = (data: Buffer) => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)])
