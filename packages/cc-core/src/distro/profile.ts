import type {DistributionId} from '../config/index.js'

/** What differs between the distributions. Everything else is one and the same code path. */
export interface DistroProfile {
  id: DistributionId
  os: 'ubuntu' | 'debian'
  /** VERSION_ID of os-release. */
  release: string
  codename: string
  /** Archive components that a mirror build uses; the pool of a live-server ISO has only the first two of Ubuntu. */
  components: readonly string[]
  kernelPackages: {
    generic: string
    /** Newer kernel of a later release. */
    hwe?: string
    /** Smaller, for virtual machines. */
    cloud?: string
  }
  /** The kernel package when none is configured. */
  defaultKernel: string
  /** Taken instead where the ISO lacks the default one and there is no mirror; null: there is no such case. */
  fallbackKernel: string | null
  /** Kernel packages that cannot run as an SNP guest at all: a production image refuses them. */
  kernelsWithoutSnp: readonly string[]
  /** Kernel packages with the driver sev-guest, which attestation reports of SEV-SNP come from. */
  snpKernels: readonly string[]
  /** NVIDIA's driver. In names of packages {branch} is the driver branch, {kernel} the release of the tree's kernel. */
  nvidia: {
    /** The kernel package when none is configured; it has DRM. */
    kernel: string
    /** Branch when none is configured; null: package names have none. */
    branch: string | null
    /** Version when none is configured: one of which the archive has both modules and user space. Null: the newest. */
    version: string | null
    /** User space and firmware. */
    packages: readonly string[]
    /** The package whose versions are those of the driver. */
    probe: string
    /** Open modules that the distribution has built and signed. */
    prebuilt: readonly string[]
    /** Source of the open modules, and what it takes to build them. */
    build: readonly string[]
    /** Patches that this source needs, below the folder of scripts. */
    patches: readonly string[]
  }
  /** In names of packages {cuda} is the version, like 12-8. */
  cuda: {
    version: string
    packages: readonly string[]
    /** NVIDIA's archive; null: the distribution has CUDA itself. */
    repository: {source: string; key: string; fingerprint: string} | null
  }
  /** Packages that a locale needs, besides generating it. */
  localePackages: (locale: string) => string[]
  /** What a tree needs beyond the essential packages to boot as a confidential VM. */
  basePackages: readonly string[]
  /** Keyring of the archive, as a path in the tree and on a host of the same kind. */
  archiveKeyring: string
  /** The package that brings it, for hosts of another kind. */
  keyringPackage: string
  /**
   * What the live initrd of an ISO writes to /run/kernel-meta-package for subiquity when the GA kernel is booted; nothing
   * on the ISO says it in the list form of the catalog. Null: there is no live-server ISO of this distribution.
   */
  liveServerKernel: string | null
  /** What to know when this distribution is the build host. */
  hostNotes: readonly string[]
}
