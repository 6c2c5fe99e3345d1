import {z} from 'zod'

/** Base64 of this many bytes. */
const base64 = (bytes: number) => z.base64().length(Math.ceil(bytes / 3) * 4)

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/**
 * What a launch of the image is expected to measure. A verifier compares it with the report of the guest, and must know
 * the number of virtual processors and their type to choose the entry.
 */
export const measurementSchema = z.strictObject({
  platform: z.enum(['sev-snp']),
  /** How a digest is made. The launch digest of SNP is a chain of SHA-384 (SEV-SNP firmware ABI, 8.17). */
  algorithm: z.enum(['sha384']),
  /** sha256 of what the digests were made from. cmdline: of the text as QEMU gets it, without a line end. */
  from: z.strictObject({firmware: sha256, kernel: sha256, initrd: sha256, cmdline: sha256}),
  entries: z
    .array(
      z.strictObject({
        vcpus: z.int().positive(),
        cpuType: z.string(),
        guestFeatures: z.string(),
        digest: z.string().regex(/^[0-9a-f]{96}$/),
        /** ID_BLOCK and ID_AUTH of the SEV-SNP firmware ABI, in base64 as QEMU and libvirt take them. */
        idBlock: base64(96).optional(),
        idAuth: base64(4096).optional(),
      }),
    )
    .min(1),
  /** What the ID blocks say beside digest and policy; where there is none it is not there. */
  idBlock: z
    .strictObject({
      svn: z.int().nonnegative(),
      familyId: z.string().regex(/^[0-9a-f]{32}$/),
      imageId: z.string().regex(/^[0-9a-f]{32}$/),
      /** ID_KEY_DIGEST and AUTHOR_KEY_DIGEST of a report: SHA-384. */
      idKeyDigest: z.string().regex(/^[0-9a-f]{96}$/),
      authorKeyDigest: z.string().regex(/^[0-9a-f]{96}$/),
    })
    .optional(),
})

export type Measurement = z.output<typeof measurementSchema>

/** What the launcher needs to know: it reads the manifest, and no cc.yaml. */
export const launchFactsSchema = z.strictObject({
  platform: z.enum(['sev-snp']),
  /** The first of each list is the default. */
  vcpus: z.array(z.int().positive()).min(1),
  cpuTypes: z.array(z.string()).min(1),
  memoryMiB: z.int().positive(),
  policy: z.string(),
  guestFeatures: z.string(),
  /** HOST_DATA that a launch may have, the default first; none: any. An image of an older version does not say. */
  hostData: z.array(sha256).optional(),
  /** Of the firmware that was measured; null where none was configured. */
  firmwareSha256: sha256.nullable(),
})

export type LaunchFacts = z.output<typeof launchFactsSchema>
