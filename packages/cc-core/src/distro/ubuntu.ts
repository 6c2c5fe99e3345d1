import type {DistroProfile} from './profile.js'

/** What all releases of Ubuntu have in common. */
export const ubuntu = {
  os: 'ubuntu',
  components: ['main', 'restricted', 'universe', 'multiverse'],
  // Not linux-virtual: sev-guest is in linux-modules-extra, which only linux-generic brings.
  defaultKernel: 'linux-generic',
  fallbackKernel: null,
  kernelsWithoutSnp: [],
  // No language packs: the catalog says "locale-only" of both sources of the server (subiquity, models/locale.py), so
  // the installer adds none either. Who wants translations names language-pack-* in os.packages.
  localePackages: () => ['locales'],
  archiveKeyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  keyringPackage: 'ubuntu-keyring',
  liveServerKernel: 'linux-generic',
} as const satisfies Partial<DistroProfile>

/** The server driver of restricted, with modules that Ubuntu builds and signs for each of its kernels. */
export const ubuntuDriver = {
  branch: '580-server',
  version: null,
  packages: ['compute-utils', 'utils', 'kernel-common']
    .map((name) => `nvidia-${name}-{branch}`)
    .concat(['libnvidia-cfg1-{branch}', 'libnvidia-compute-{branch}']),
  probe: 'libnvidia-compute-{branch}',
  prebuilt: ['linux-modules-nvidia-{branch}-open-{kernel}'],
  build: ['nvidia-dkms-{branch}-open', 'linux-headers-{kernel}'],
  patches: [],
}

/** The runtime libraries out of NVIDIA's own archive, which is signed by one key for all releases. */
export function ubuntuCuda(release: string): DistroProfile['cuda'] {
  const archive = `https://developer.download.nvidia.com/compute/cuda/repos/ubuntu${release.replace('.', '')}/x86_64`
  return {
    version: '12.8',
    packages: ['cuda-libraries-{cuda}'],
    repository: {
      source: `deb ${archive}/ /`,
      key: `${archive}/3bf863cc.pub`,
      fingerprint: 'EB693B3035CD5710E231E123A4B469963BF863CC',
    },
  }
}
