import {basePackages} from './base-packages.js'
import type {DistroProfile} from './profile.js'

/** What all releases of Debian have in common. */
export const debian = {
  os: 'debian',
  components: ['main', 'contrib', 'non-free', 'non-free-firmware'],
  kernelPackages: {generic: 'linux-image-amd64', cloud: 'linux-image-cloud-amd64'},
  // Small and quick to boot. It has no DRM, which NVIDIA's driver needs, and before 6.12 (debian-12 has 6.1) no
  // sev-guest: for a GPU, or for attestation on debian-12, os.kernel must be linux-image-amd64.
  defaultKernel: 'linux-image-cloud-amd64',
  fallbackKernel: null,
  kernelsWithoutSnp: [],
  // Translations are part of each package.
  localePackages: () => ['locales'],
  archiveKeyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
  keyringPackage: 'debian-archive-keyring',
  liveServerKernel: null,
  hostNotes: [],
} as const satisfies Partial<DistroProfile>

/** systemd ships these apart from itself. */
export const debianPackages = [...basePackages, 'systemd-timesyncd', 'systemd-resolved']

/** The driver of non-free with the open modules of contrib, which are built here. Package names have no branch. */
export const debianDriver = {
  kernel: 'linux-image-amd64',
  branch: null,
  packages: [
    ...['libcuda1', 'libnvidia-ml1', 'libnvidia-cfg1', 'nvidia-smi'],
    ...['nvidia-persistenced', 'nvidia-modprobe', 'firmware-nvidia-gsp'],
  ],
  probe: 'libcuda1',
  prebuilt: [],
  build: ['nvidia-open-kernel-dkms', 'linux-headers-{kernel}'],
} as const
