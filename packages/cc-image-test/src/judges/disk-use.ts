/** What QEMU says that a machine did to a disk; bytes. */
export interface DiskUse {
  id: string
  read: number
  written: number
}

/**
 * The kernel looks for a partition table at both ends of each disk: a sound machine reads 40 KiB of one that is plugged
 * in. Whoever looks for a file system reads more: blkid about 280 KiB, of an ext4 of 16 MiB.
 */
const tableBytes = 64 * 1024

/** What the machine did to disks that it has to leave alone: nothing but to look for a partition table. */
export const problemsOfUse = (ids: readonly string[], disks: readonly DiskUse[] | undefined): string[] =>
  ids.flatMap((id) => {
    const use = disks?.find((disk) => disk.id === id)
    if (use === undefined) return [`there is no evidence of what it did to ${id}`]
    return [
      ...(use.written > 0 ? [`it wrote ${use.written} bytes to ${id}`] : []),
      ...(use.read > tableBytes ? [`it read ${use.read} bytes of ${id}, more than a partition table`] : []),
    ]
  })

/** For the report. */
export const usesOf = (ids: readonly string[], disks: readonly DiskUse[] | undefined): string[] =>
  ids.map((id) => `it read ${disks?.find((disk) => disk.id === id)?.read ?? 0} bytes of ${id} and wrote none`)
