import {createReadStream} from 'node:fs'

/**
 * Look for byte strings in a file of any size; also those that lie across two reads.
 * @returns the names of those that were found, each once
 */
export async function searchFile(
  file: string,
  needles: Readonly<Record<string, Buffer>>,
  chunkBytes = 4 * 1024 * 1024,
): Promise<string[]> {
  const wanted = new Map(Object.entries(needles))
  const overlap = Math.max(...[...wanted.values()].map((needle) => needle.length)) - 1
  const found: string[] = []
  let rest = Buffer.alloc(0)
  for await (const chunk of createReadStream(file, {highWaterMark: chunkBytes}) as AsyncIterable<Buffer>) {
    const window = Buffer.concat([rest, chunk])
    for (const [name, needle] of wanted) {
      if (!window.includes(needle)) continue
      found.push(name)
      wanted.delete(name)
    }
    rest = window.subarray(Math.max(window.length - overlap, 0))
  }
  return found
}

/** The forms in which a secret may have been written down. */
export function writtenForms(name: string, secret: Buffer): Record<string, Buffer> {
  const hex = secret.toString('hex')
  // Of base64 the last group depends on what follows.
  const [base64, base64url] = (['base64', 'base64url'] as const).map((form) =>
    secret.toString(form).slice(0, 4 * Math.floor(secret.length / 3)),
  )
  return {
    [`${name} as bytes`]: secret,
    [`${name} in hexadecimal`]: Buffer.from(hex),
    [`${name} in upper-case hexadecimal`]: Buffer.from(hex.toUpperCase()),
    [`${name} in base64`]: Buffer.from(base64 ?? ''),
    ...(base64 !== base64url && {[`${name} in base64url`]: Buffer.from(base64url ?? '')}),
  }
}
