import {z} from 'zod'

import {aptRepository, checkedFile, packageText} from './download-schema.js'
import {hostPath, hostSecret} from './values.js'

const branch = z.string().regex(/^\d{3}(-server)?$/, 'expected a driver branch like 580 or 580-server')
const driverVersion = z.string().regex(/^\d{3}\.[\w.+:~-]+$/, 'expected a driver version like 580.95.05')
const cudaVersion = z.string().regex(/^\d{2}\.\d$/, 'expected a CUDA version in quotes like "12.8"')

const cuda = z.strictObject({
  version: cudaVersion.nullable().default(null).describe('CUDA version; null = the one of the distribution profile.'),
  packages: z
    .array(z.string().regex(/^[a-z0-9{}][a-z0-9+.{}-]*$/, 'expected a package name'))
    .nullable()
    .default(null)
    .describe(
      'Packages; `{cuda}` stands for the version as package names have it (12-8). null = the runtime libraries; [] = none. The toolkit: `cuda-toolkit-{cuda}` in NVIDIA’s repository, `nvidia-cuda-toolkit` in Debian.',
    ),
  repository: aptRepository
    .nullable()
    .default(null)
    .describe('Package archive for CUDA; null = the one of the distribution profile.'),
})

const signing = z.strictObject({
  key: hostSecret
    .nullable()
    .default(null)
    .describe('Private key that signs modules built here, PEM, mode 0600; needed with `module.sig_enforce`.'),
  certificate: hostPath.nullable().default(null).describe('Its X.509 certificate.'),
})

/** NVIDIA's driver, with open kernel modules, and CUDA. */
export const nvidiaSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('Install driver and CUDA. Off by default: a build without them takes seconds.'),
  branch: branch
    .nullable()
    .default(null)
    .describe('Driver branch, where package names have one; null = the one of the distribution profile.'),
  version: driverVersion
    .nullable()
    .default(null)
    .describe('Driver version, or the beginning of the package version; null = that of the profile, or the newest.'),
  modules: z
    .enum(['auto', 'prebuilt', 'dkms'])
    .default('auto')
    .describe(
      'Kernel modules: `prebuilt` and signed by the distribution, or built here from `dkms`; `auto` = the profile’s.',
    ),
  packages: z
    .array(packageText)
    .nullable()
    .default(null)
    .describe('Driver packages without the kernel modules; null = those of the profile.'),
  repository: aptRepository
    .nullable()
    .default(null)
    .describe('A further package archive for the driver, preferred over the distribution; null = none.'),
  debs: z
    .array(checkedFile)
    .default([])
    .describe(
      'Driver packages as files, or NVIDIA’s local-repository packages, which are unpacked and used as an archive.',
    ),
  patches: z
    .array(hostPath)
    .default([])
    .describe('Patches for the source of the kernel modules, with a line `Target: /usr/src/NAME`; in this order.'),
  signing: signing.prefault({}).describe('Signature of modules that are built here.'),
  cuda: cuda.prefault({}).describe('CUDA.'),
  resetBeforeLoad: z
    .boolean()
    .default(false)
    .describe('Reset each GPU (FLR) in the guest before the driver is loaded. Some platforms need it.'),
  onFailure: z
    .enum(['power-off', 'stop'])
    .default('power-off')
    .describe('What follows when a GPU cannot be attested: the machine powers off, or the GPU stays not ready.'),
})
