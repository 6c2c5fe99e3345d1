/** Bytes of a chunk that the guest encrypts at a time: in_place_chunk of scripts/guest/cc/lib/in-place.sh. */
const chunkBytes = 4 * 2 ** 20

/** Room behind the content of a partition that the guest encrypts in place; bytes. */
export interface Journal {
  offset: number
  /** Where it ends: what the partition has to hold. */
  end: number
}

/**
 * Where the journal lies: at the first multiple of a chunk behind the content.
 * @param contentBytes the data with their hash tree
 */
export function journalBehind(contentBytes: number): Journal {
  const offset = Math.ceil(contentBytes / chunkBytes) * chunkBytes
  return {offset, end: offset + chunkBytes}
}
