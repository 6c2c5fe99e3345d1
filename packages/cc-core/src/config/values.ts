import {posix} from 'node:path'

import {z} from 'zod'

import {formatSize, parseSize} from './size.js'

const sizeWords =
  'expected a size like 512M or 10G (K, M, G, T, also as GB or GiB: powers of 1024) or a number of bytes'

/** A size: text or a number in the file, bytes in the program, text again with --print-config. */
export const size = z
  .codec(z.union([z.string(), z.number()], sizeWords), z.number(), {
    decode(value, context) {
      const bytes = parseSize(String(value))
      if (bytes !== null) return bytes
      context.issues.push({code: 'custom', message: sizeWords, input: value})
      return z.NEVER
    },
    encode: formatSize,
  })
  .meta({type: 'size'})

/**
 * A bit mask of 64 bits: `0x30000` in the program, written in hexadecimal or decimal, as a number or as text. YAML reads
 * 0x30000 as a number.
 */
export function bitMask(what: string) {
  const words = `expected ${what} as a whole number of at most 64 bits like 0x30000 or 196608`
  return z
    .codec(z.union([z.string(), z.number()], words), z.string(), {
      decode(value, context) {
        const text = String(value)
        const mask = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? BigInt(text) : -1n
        if (typeof value === 'number' && !Number.isSafeInteger(value)) {
          context.issues.push({code: 'custom', message: `${words}; a number this large needs quotes`, input: value})
        } else if (mask >= 0n && mask < 1n << 64n) {
          return `0x${mask.toString(16)}`
        } else context.issues.push({code: 'custom', message: words, input: value})
        return z.NEVER
      },
      encode: (mask) => mask,
    })
    .meta({type: 'bit mask'})
}

/** An absolute, normalised path inside the guest. */
export const guestPath = z
  .string()
  .refine(
    (path) => /^\/[\w./@+-]*$/.test(path) && posix.normalize(path) === path && (path === '/' || !path.endsWith('/')),
    'expected an absolute path in the guest, of letters, digits and _ . / @ + -, without "..", "//" or a "/" at the end',
  )
  .meta({type: 'guest path'})

/** A path on the host; relative ones have been made absolute before the schema sees them. */
const pathOf = (kind: PathKind) =>
  z
    .string()
    .min(1, 'expected a path')
    // U+FFFD stands for bytes that are not UTF-8: the file that was meant cannot be named any more.
    .refine(
      // eslint-disable-next-line no-control-regex -- these are what is refused
      (path) => !/[\x00-\x1f\x7f\ufffd]/.test(path),
      'expected a path in UTF-8 without control characters: rename the file or folder',
    )
    .meta({type: 'path', kind})

/** What a path of the host leads to. */
export type PathKind = 'file' | 'folder' | 'any'

/** A file of the host. */
export const hostPath = pathOf('file')
export const hostFolder = pathOf('folder')
export const hostFileOrFolder = pathOf('any')

/** A user or group name as useradd accepts it. */
export const accountName = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_-]{0,30}$/,
    'expected a user name: a-z, 0-9, "_" and "-", at most 31, not starting with a digit',
  )

export const accountId = z
  .number('expected a number')
  .int()
  .min(1000, 'expected 1000 to 59999')
  .max(59999, 'expected 1000 to 59999')

/** Upper bound of a tmpfs, as the option `size` of tmpfs(5) takes it. */
export const tmpfsSize = z
  .string()
  .regex(/^(100|[1-9]\d?)%$|^[1-9]\d*[KMG]$/, 'expected a share of the memory like 25%, or a size like 512M')
