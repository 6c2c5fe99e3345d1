import {z} from 'zod'

import {hostSecret} from './values.js'

/** Who vouches for an image: a key of its builder. */
export const signingSchema = z.strictObject({
  key: hostSecret
    .nullable()
    .default(null)
    .describe('Private key without a passphrase, which signs the manifest and the provenance; null = no signature.'),
  tool: z
    .enum(['openssl', 'minisign'])
    .default('openssl')
    .describe('`openssl` for an EC or RSA key as PEM, `minisign` for one of minisign.'),
})
