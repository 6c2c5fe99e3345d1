import {z} from 'zod'

import {amdSchema} from './amd-schema.js'
import {attestationSchema} from './attestation-schema.js'
import {hardeningSchema} from './hardening-schema.js'
import {launchSchema} from './launch-schema.js'
import {kbsSchema, teeDerivedSchema} from './keys-schema.js'
import {layoutSchema} from './layout-schema.js'
import {nvidiaSchema} from './nvidia-schema.js'
import {signingSchema} from './signing-schema.js'
import {
  accountId,
  accountName,
  guestPath,
  hostAnyFile,
  hostFolder,
  hostPath,
  hostPathOrAptLine,
  tmpfsSize,
} from './values.js'

export const distributions = ['ubuntu-22.04', 'ubuntu-24.04', 'debian-12', 'debian-13'] as const

const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+(=[\w.+:~-]+)?$/, 'expected a package name')

const source = z.strictObject({
  iso: hostPath.nullable().default(null).describe('Ubuntu live-server ISO; also `--iso`. null = the package mirror.'),
  isoSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits')
    .nullable()
    .default(null)
    .describe('The sha256 that the ISO must have; also `--iso-sha256`.'),
  sha256sums: hostPath.nullable().default(null).describe('SHA256SUMS file that must list the ISO.'),
  sha256sumsSignature: hostPath.nullable().default(null).describe('Detached GPG signature of that file.'),
  keyring: hostPath
    .nullable()
    .default(null)
    .describe('Keyring for that signature and for the package archive; null = the one of the distribution.'),
  installSource: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('id in the `install-sources.yaml` of the ISO; null = the one marked as default.'),
  mirrors: z
    .array(hostPathOrAptLine)
    .default([])
    .describe('apt sources: `deb …` lines, or files with such lines or in deb822 format; [] = those of the host.'),
})

const user = z.strictObject({
  name: accountName.default('cc').describe('User that the application runs as.'),
  uid: accountId.default(1000).describe('Its user id.'),
  group: accountName.default('cc').describe('Its group.'),
  gid: accountId.default(1000).describe('Its group id.'),
  shell: guestPath.default('/bin/bash').describe('Its shell.'),
})

const tmpfs = z.strictObject({
  path: guestPath.describe('Mount point.'),
  size: tmpfsSize.default('25%').describe('Upper bound: a share of the memory, or a size.'),
  mode: z
    .string()
    .regex(/^[01]?[0-7]{3}$/, 'expected an octal mode in quotes like "1777"')
    .default('1777')
    .describe('Permissions, octal.'),
})

const file = z.strictObject({
  path: guestPath.refine((path) => path !== '/', 'expected a file').describe('Path in the guest.'),
  from: hostAnyFile.describe('File of the host that is copied.'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected an octal mode in quotes like "0600"')
    .default('0600')
    .describe('Permissions, octal.'),
})

const os = z.strictObject({
  hostname: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a host name: a-z, 0-9 and "-", at most 63')
    .default('cc')
    .describe('Host name of the guest.'),
  locale: z
    .string()
    .regex(/^(C|[a-z]{2,3}_[A-Z]{2}(@[a-z]+)?)\.UTF-8$/, 'expected a UTF-8 locale like en_US.UTF-8')
    .default('en_US.UTF-8')
    .describe('System locale.'),
  timezone: z
    .string()
    .regex(/^[A-Za-z][\w+-]*(\/[A-Za-z][\w+-]*)*$/, 'expected a time zone like UTC or Europe/Berlin')
    .default('UTC')
    .describe('Time zone.'),
  user: user.prefault({}).describe('The one ordinary user.'),
  kernel: packageName.nullable().default(null).describe('Kernel package; null = the default of the distribution.'),
  packages: z.array(packageName).default([]).describe('Further packages, `name` or `name=version`.'),
  keep: z
    .array(z.string().regex(/^[a-z][a-z-]*$/, 'expected the name of a group like cloud-init'))
    .default([])
    .describe(
      'What stays although it acts on the host’s behalf, by the groups of `scripts/lib/unwanted.txt`: cloud-init, snapd, ssh, getty and so on. Development only; `packages` keep their own group.',
    ),
  files: z.array(file).default([]).describe('Files that are copied into the system, owned by root; a key file, say.'),
  tmpfs: z
    .array(tmpfs)
    .default(['/tmp', '/var/tmp', '/dev/shm'].map((path) => ({path, size: '25%', mode: '1777'})))
    .describe('File systems in memory; a list replaces the default.'),
})

const moduleName = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'expected a kernel module name')
const defaultModules = [
  ...[
    'virtio_pci',
    'virtio_blk',
    'virtio_scsi',
    'virtio_net',
    'sd_mod',
    'nvme',
    'qemu_fw_cfg',
    'sev_guest',
    'tdx_guest',
  ],
  ...[
    'ext4',
    'squashfs',
    'overlay',
    'loop',
    'dm_mod',
    'dm_crypt',
    'dm_verity',
    'dm_integrity',
    'xts',
    'aesni_intel',
    'tsm',
  ],
]

const boot = z.strictObject({
  modules: z
    .array(moduleName)
    .default(defaultModules)
    .describe(
      'Kernel modules of the initrd; those the kernel lacks or has built in are left out. A list replaces the default.',
    ),
  cmdline: z
    .array(z.string().regex(/^[\x21-\x7e]+$/, 'expected one kernel parameter without spaces'))
    .default([])
    .describe('Further kernel parameters.'),
  console: z
    .string()
    .regex(/^tty[A-Z]*\d+$|^hvc\d$/, 'expected a console like ttyS0')
    .default('ttyS0')
    .describe('Console for boot messages.'),
})

const flare = z.strictObject({
  packages: z.array(packageName).default(['python3']).describe('Packages of the distribution that FLARE needs.'),
  requirements: z
    .array(z.string().min(1))
    .min(1)
    .default(['nvflare==2.9.0'])
    .describe('What pip installs, as in a requirements file: the version of NVIDIA FLARE, and what belongs to it.'),
  wheels: z.array(hostPath).default([]).describe('Wheel files to install by themselves.'),
  findLinks: z.array(hostFolder).default([]).describe('Directories with wheels for pip to choose from.'),
  indexUrl: z.url().nullable().default(null).describe('Package index; null = that of pip, or of the host.'),
  extraIndexUrls: z.array(z.url()).default([]).describe('Further package indexes.'),
  venv: guestPath.default('/opt/nvflare/venv').describe('Virtual environment of FLARE in the guest.'),
  workspace: guestPath
    .default('/opt/nvflare/workspace')
    .describe('Directory in the guest for the start-up kit and the results of FLARE.'),
})

/** The whole of cc.yaml. Its input is the file with the default partitions merged in; its output has sizes in bytes. */
export const configSchema = z.strictObject({
  profile: z
    .enum(['development', 'production'])
    .default('development')
    .describe('`production` refuses whatever is only for development, as the key source `development`.'),
  distribution: z
    .enum(['auto', ...distributions])
    .default('auto')
    .describe('`auto`: that of the ISO; without an ISO that of the host.'),
  source: source.prefault({}).describe('Where the operating system comes from.'),
  os: os.prefault({}).describe('How it is set up.'),
  boot: boot.prefault({}).describe('How it starts.'),
  layout: layoutSchema.describe('The disk.'),
  launch: launchSchema
    .prefault({})
    .describe('How the image is launched and measured; not taken over by a later stage.'),
  amd: amdSchema.prefault({}).describe('What AMD SEV-SNP needs in the guest.'),
  nvidia: nvidiaSchema.prefault({}).describe('Driver and CUDA.'),
  attestation: attestationSchema.prefault({}).describe('Evidence of CPU and GPU.'),
  kbs: kbsSchema.prefault({}).describe('The key broker, for the key source `kbs`.'),
  teeDerived: teeDerivedSchema.prefault({}).describe('The key source `tee-derived`.'),
  flare: flare.prefault({}).describe('NVIDIA FLARE, for the second stage.'),
  signing: signingSchema.prefault({}).describe('Who vouches for the image; not taken over by a later stage.'),
  hardening: hardeningSchema.prefault({}).describe('The application and its closed room, for the third stage.'),
})

export type Config = z.output<typeof configSchema>
export type Layout = Config['layout']
export type Partition = Layout['partitions'][string]
export type Encryption = Partition['encryption']
export type Integrity = Partition['integrity']
export type KeySource = NonNullable<Partition['key']>
export type DistributionId = (typeof distributions)[number]
