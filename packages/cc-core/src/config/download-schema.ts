import {z} from 'zod'

import {hostPath, hostPathOrUrl} from './values.js'

export const packageText = z.string().regex(/^[a-z0-9][a-z0-9+.-]+(=[\w.+:~-]+)?$/, 'expected a package name')

export const sha256Text = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')

/** A file of the host that must have this content. */
export const checkedFile = z.strictObject({
  file: hostPath.describe('The file.'),
  sha256: sha256Text.describe('The sha256 that it must have.'),
})

/** A package archive with the one key that may sign it. */
export const aptRepository = z.strictObject({
  source: z
    .string()
    .regex(
      /^deb\s+(\[[^\]]*\]\s+)?(https?|file):\/\/?\S+\s+\S.*$/,
      'expected a line like: deb https://HOST/PATH SUITE COMPONENT',
    )
    .describe('Its apt source line.'),
  key: hostPathOrUrl
    .regex(/^(https?:\/\/|\/)\S+$/, 'expected a path or a URL')
    .describe('The public key that signs it: a file, or a URL. No other key is accepted, and this one nowhere else.'),
  fingerprint: z
    .string()
    .regex(/^[0-9A-F]{40}$/, 'expected the 40 upper-case hexadecimal digits of a fingerprint')
    .describe('Fingerprint that the key must have.'),
})

/** Base address of a service. */
export const serviceUrl = z.url({protocol: /^https?$/, error: 'expected a URL like https://host/path'})
