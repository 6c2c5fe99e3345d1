import {z} from 'zod'

import {packageText, serviceUrl, sha256Text} from './download-schema.js'
import {duration, guestPath, hostPath} from './values.js'

const snpguest = z
  .strictObject({
    file: hostPath.nullable().default(null).describe('The program as a file; needs `sha256`.'),
    url: z
      .url({protocol: /^https?$/, error: 'expected a URL'})
      .nullable()
      .default(null)
      .describe('Where it is downloaded; needs `sha256`.'),
    sha256: sha256Text.nullable().default(null).describe('The sha256 that file or download must have.'),
    version: z
      .string()
      .regex(/^\d+\.\d+\.\d+$/, 'expected a version like 0.11.0')
      .refine(
        (version) => !/^0\.\d\./.test(version),
        'expected 0.10.0 or newer: older ones have other options of `key`',
      )
      .nullable()
      .default('0.11.0')
      .describe(
        'Without file and URL: this version is built from crates.io, with cargo on the build host; null = no snpguest.',
      ),
  })
  .refine(({file, url}) => file === null || url === null, 'expected file or url, not both')
  .refine(
    ({file, url, sha256}) => (file === null && url === null) || sha256 !== null,
    'expected sha256 with file or url',
  )

/**
 * The SDK and what it imports, and no more: it asks for test tools as well, and signxml for an lxml that Python 3.13 has
 * no wheel of.
 */
const sdkRequirements = [
  ...['nv-attestation-sdk==2.7.3', 'nv-local-gpu-verifier==2.7.3', 'PyJWT==2.7.0', 'asn1==2.7.0'],
  ...['certifi==2026.10.19.post1', 'cffi==2.1.1', 'charset-normalizer==3.5.2', 'cryptography==43.0.1', 'ecdsa==0.18.0'],
  ...['elementpath==4.8.0', 'enum-compat==0.0.3', 'idna==3.20', 'lxml==5.3.0', 'nvidia-ml-py==12.550.52'],
  ...['pycparser==3.12', 'pyOpenSSL==24.2.1', 'requests==2.32.5', 'signxml==3.2.0', 'six==1.17.0', 'urllib3==2.6.3'],
  ...['xmlschema==2.2.3'],
]

const sdk = z.strictObject({
  kind: z
    .enum(['python', 'nvattest', 'none'])
    .default('python')
    .describe('`python`: from a package index into its own environment; `nvattest`: as packages of the CUDA archive.'),
  requirements: z
    .array(z.string().min(1))
    .min(1)
    .default(sdkRequirements)
    .describe('What pip installs, as in a requirements file; all of it, since nothing that these ask for is added.'),
  indexUrl: z.url().nullable().default(null).describe('Package index; null = that of pip, or of the host.'),
  venv: guestPath.default('/opt/cc/venv').describe('Virtual environment in the guest.'),
  packages: z.array(packageText).min(1).default(['nvattest']).describe('Packages for `nvattest`.'),
})

const services = z.strictObject({
  nras: serviceUrl.default('https://nras.attestation.nvidia.com').describe('NVIDIA Remote Attestation Service.'),
  rim: serviceUrl
    .default('https://rim.attestation.nvidia.com/v1/rim/')
    .describe('Reference integrity manifests of driver and firmware.'),
  ocsp: serviceUrl.default('https://ocsp.ndis.nvidia.com/').describe('Revocation of certificates.'),
})

const recheck = z.strictObject({
  every: z
    .union([z.literal('never'), duration], 'expected never, or a time like 15min')
    .nullable()
    .default(null)
    .describe(
      'How often a hardened image attests again; `never`; null = 15min in a production image that has somebody to ask, else never.',
    ),
  failures: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('How many refusals, one after the other, stop FLARE, close the vault and switch the machine off.'),
  networkFailures: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .default(8)
    .describe(
      'The same for a key broker that is not reached; null = any number: the host can then keep a withdrawn image running by cutting the network.',
    ),
})

/** What gives evidence of CPU and GPU in the guest. */
export const attestationSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe(
      'Install snpguest, NVIDIA’s attestation SDK and `/opt/cc/bin/cc-attest`. Off by default: the SDK is large.',
    ),
  snpguest: snpguest.prefault({}).describe('The program that talks to the SEV-SNP firmware.'),
  sdk: sdk.prefault({}).describe('NVIDIA’s attestation SDK.'),
  verifier: z
    .enum(['local', 'remote'])
    .default('local')
    .describe('Who appraises the evidence of a GPU before it is made ready: the guest, or NRAS.'),
  recheck: recheck.prefault({}).describe('Attestation that goes on while a hardened image runs.'),
  services: services.prefault({}).describe('Services that an appraisal asks.'),
  tokenFile: guestPath
    .default('/etc/cc/attestation.token')
    .describe(
      'File in the guest with the token of these services, mode 0600, put there with `os.files`; the variable `CC_ATTESTATION_TOKEN` of cc-attest wins. Never part of this file.',
    ),
})
