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

const durationWords = 'expected a time like 90s, 15min or 2h, or a number of seconds'
const secondsIn = {'': 1, s: 1, min: 60, h: 3600} as const

/** A time: text or a number of seconds in the file, seconds in the program, text again with --print-config. */
export const duration = z
  .codec(z.union([z.string(), z.number()], durationWords), z.number(), {
    decode(value, context) {
      const [, digits = '', unit = ''] = /^(\d{1,9}) ?(s|min|h)?$/.exec(String(value)) ?? []
      if (Number(digits) > 0) return Number(digits) * secondsIn[unit as keyof typeof secondsIn]
      context.issues.push({code: 'custom', message: durationWords, input: value})
      return z.NEVER
    },
    encode: (seconds) =>
      seconds % 3600 === 0 ? `${seconds / 3600}h` : seconds % 60 === 0 ? `${seconds / 60}min` : `${seconds}s`,
  })
  .meta({type: 'time'})

/** An absolute, normalised path inside the guest. */
export const guestPath = z
  .string()
  .refine(
    (path) => /^\/[\w./@+-]*$/.test(path) && posix.normalize(path) === path && (path === '/' || !path.endsWith('/')),
    'expected an absolute path in the guest, of letters, digits and _ . / @ + -, without "..", "//" or a "/" at the end',
  )
  .meta({type: 'guest path'})

/** What a path of the host leads to. */
export type PathKind = 'file' | 'folder' | 'any'

/** What a text may be in the place of a path; it is left as it is then. */
const otherForms = {url: /^https?:/, 'apt line': /^\s*deb(-src)?\s/} as const

/** What the schema says of a text that names something of this host: part of its metadata. */
export interface PathMeta {
  kind: PathKind
  /** The least bytes of a file; 1 by default, since an empty file is hardly ever the one that was meant. */
  leastBytes?: number
  /** Nobody but its owner may read it. */
  secret?: boolean
  /** The text may also be one of these. */
  unless?: keyof typeof otherForms
}

/** Whether a text is a path, where it may also be something else. */
export const isPath = ({unless}: PathMeta, text: string): boolean =>
  unless === undefined || !otherForms[unless].test(text)

/** A path on the host; relative ones have been made absolute before the schema sees them. */
const pathOf = (meta: PathMeta) =>
  z
    .string()
    .min(1, 'expected a path')
    // U+FFFD stands for bytes that are not UTF-8: the file that was meant cannot be named any more.
    .refine(
      // eslint-disable-next-line no-control-regex -- these are what is refused
      (path) => !/[\x00-\x1f\x7f\ufffd]/.test(path),
      'expected a path in UTF-8 without control characters: rename the file or folder',
    )
    .meta({type: meta.unless === undefined ? 'path' : `path or ${meta.unless}`, ...meta})

/** A file of the host. */
export const hostPath = pathOf({kind: 'file'})
/** A file of the host that may be empty. */
export const hostAnyFile = pathOf({kind: 'file', leastBytes: 0})
/** A file of the host with a key or password, of any length, that others may not read. */
export const hostSecret = pathOf({kind: 'file', secret: true})
/** The bytes that a key has at least with which something is encrypted: 256 bits, as `check_key_file` of cc-scripts. */
export const leastKeyBytes = 32
/** A file of the host with a key with which something is encrypted. */
export const hostKey = pathOf({kind: 'file', secret: true, leastBytes: leastKeyBytes})
export const hostFolder = pathOf({kind: 'folder'})
export const hostFileOrFolder = pathOf({kind: 'any'})
/** A file with apt sources, or a line of one. */
export const hostPathOrAptLine = pathOf({kind: 'file', unless: 'apt line'})
/** A file, or where it is downloaded. */
export const hostPathOrUrl = pathOf({kind: 'file', unless: 'url'})

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
