import {open} from 'node:fs/promises'

/** Bytes of one sample. */
const sampleBytes = 64 * 1024

/** Random bytes have at least this: in a sample of n they lack 255 / (2 n ln 2) bits on average, and hardly ever twice that. */
export const randomBits = (length: number): number => 8 - 255 / (length * Math.LN2)

/** Bits per byte of a sample, from 0 to 8. 64 KiB of random bytes have 7.997. */
export function entropy(sample: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (const byte of sample) counts[byte] = (counts[byte] ?? 0) + 1
  let bits = 0
  for (const count of counts) {
    const share = count / sample.length
    if (count > 0) bits -= share * Math.log2(share)
  }
  return bits
}

/** The lowest entropy of samples that are spread over a file. */
export async function lowestEntropy(
  file: string,
  samples = 256,
): Promise<{bits: number; offset: number; length: number}> {
  const handle = await open(file)
  try {
    const {size} = await handle.stat()
    const length = Math.min(sampleBytes, size)
    const step = Math.max(length, Math.floor((size - length) / Math.max(samples - 1, 1)))
    const buffer = Buffer.alloc(length)
    let lowest = {bits: 8, offset: 0, length}
    for (let offset = 0; offset + length <= size; offset += step) {
      await handle.read(buffer, 0, length, offset)
      const bits = entropy(buffer)
      if (bits < lowest.bits) lowest = {bits, offset, length}
    }
    return lowest
  } finally {
    await handle.close()
  }
}
