import {z} from 'zod'

import {policyBits} from './security-words.js'
import {bitMask, hostPath, hostSecret, size} from './values.js'

/** Processor types as QEMU names them; their signature is part of the measurement. */
const cpuType = z.string().regex(/^EPYC(-[A-Za-z0-9]+)*$/, 'expected a processor type of QEMU like EPYC-v4')

const id = (what: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'expected 32 lower-case hexadecimal digits')
    .default('0'.repeat(32))
    .describe(`${what} in the block and in reports of the guest: 16 bytes in hexadecimal.`)

/** What the firmware compares a launch with, signed by who builds the image (SEV-SNP firmware ABI, ID_BLOCK). */
const idBlock = z.strictObject({
  idKey: hostSecret.describe('Private key that signs the block: EC, curve P-384, PEM, without a passphrase.'),
  authorKey: hostSecret.describe('Private key, of the same kind, that signs the public part of `idKey`.'),
  svn: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(0)
    .describe('Security version of the image; the most that `teeDerived.svn` of a guest may be.'),
  familyId: id('FAMILY_ID'),
  imageId: id('IMAGE_ID'),
})

/** How the image is launched, and what its launch is expected to measure. */
export const launchSchema = z.strictObject({
  platform: z.enum(['sev-snp']).default('sev-snp').describe('Kind of the trusted execution environment.'),
  vcpus: z
    .array(z.int().min(1).max(512))
    .min(1)
    .default([4, 1, 2, 8, 16, 32])
    .describe('Numbers of virtual processors with an expected measurement each; the first is the default.'),
  cpuTypes: z
    .array(cpuType)
    .min(1)
    .default(['EPYC-v4'])
    .describe('Processor types with an expected measurement each, by the names of QEMU; the first is the default.'),
  memory: size.prefault('8G').describe('Memory of the virtual machine, unless the launcher is told otherwise.'),
  policy: bitMask('a guest policy')
    .refine(
      (policy) => (BigInt(policy) & policyBits.reserved) !== 0n,
      'expected a policy with bit 0x20000, which the firmware demands',
    )
    .prefault('0x30000')
    .describe(
      'SNP guest policy. 0x30000: no debugging, no migration agent, SMT allowed. `production` refuses 0x80000 (debugging) and 0x40000 (migration agent).',
    ),
  guestFeatures: bitMask('SEV_FEATURES')
    .refine((features) => (BigInt(features) & 1n) !== 0n, 'expected SEV_FEATURES with bit 0x1, SEV-SNP itself')
    .prefault('0x1')
    .describe('SEV_FEATURES of the guest, which are measured; 0x1 is SNP alone, as QEMU sets it.'),
  ovmf: hostPath
    .nullable()
    .default(null)
    .describe('OVMF firmware of the kind AmdSev that the image is launched with; null = no expected measurement.'),
  ovmfSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
    .nullable()
    .default(null)
    .describe('The sha256 that the firmware must have.'),
  tool: hostPath
    .nullable()
    .default(null)
    .describe('`sev-snp-measure` or `snpguest`, which computes the measurement; null = from `toolRequirements`.'),
  toolRequirements: z
    .array(z.string().regex(/^[A-Za-z0-9]\S*$/, 'expected a requirement of pip'))
    .min(1)
    .default(['sev-snp-measure==0.0.13'])
    .describe('What pip installs into an environment of its own in the work folder when `tool` is null.'),
  idBlock: idBlock
    .nullable()
    .default(null)
    .describe(
      'Sign an ID block for each expected measurement, so that the firmware refuses another measurement or guest policy; null = none.',
    ),
  stub: hostPath
    .nullable()
    .default(null)
    .describe('UEFI stub of systemd for the ESP; null = that of the package systemd-boot-efi of the host.'),
})
