/**
 * What a host does with images: build and seal them, open them, boot them; and what only some configurations ask for:
 * apply patches, download files.
 */
export type Purpose = 'build' | 'open' | 'boot' | 'patch' | 'download'

/** A program that the tools call, and the Debian and Ubuntu package that has it. */
export interface Tool {
  program: string
  package: string
  for: readonly Purpose[]
  /** The oldest version that has what is used here, and what that is. Every other tool is old enough everywhere. */
  from?: {version: string; why: string}
  /** The word that makes it say its version; --version by default. */
  versionWord?: string
  /** Whether bytes of a seal come from it, so that its version belongs to the identity of an image. */
  writes?: true
}

const build: readonly Purpose[] = ['build']
const disks: readonly Purpose[] = ['build', 'open']
const all: readonly Purpose[] = ['build', 'open', 'boot']

/** Every program that is not part of a minimal Debian or Ubuntu, or that may have been left out of one. */
export const tools: readonly Tool[] = [
  {program: 'setpriv', package: 'util-linux', for: all},
  {
    ...{program: 'unshare', package: 'util-linux', for: disks},
    from: {version: '2.36', why: '`unshare --keep-caps`, with which steps enter their user namespace'},
  },
  {program: 'newuidmap', package: 'uidmap', for: disks},
  {program: 'newgidmap', package: 'uidmap', for: disks},
  {program: 'tar', package: 'tar', for: disks, writes: true},
  {program: 'cpio', package: 'cpio', for: disks, writes: true},
  {
    ...{program: 'cryptsetup', package: 'cryptsetup-bin', for: disks, writes: true},
    from: {version: '2.4', why: '`cryptsetup luksDump --dump-json-metadata`'},
  },
  {program: 'veritysetup', package: 'cryptsetup-bin', for: disks, writes: true},
  {
    ...{program: 'qemu-img', package: 'qemu-utils', for: all, writes: true},
    from: {version: '5.2', why: 'what is tested: the oldest is that of Debian 11'},
  },
  {
    ...{program: 'sfdisk', package: 'fdisk', for: disks, writes: true},
    from: {version: '2.36', why: 'what is tested: the oldest is that of Debian 11'},
  },
  {program: 'mcopy', package: 'mtools', for: disks, writes: true},
  {program: 'objcopy', package: 'binutils', for: disks, writes: true},
  {program: 'objdump', package: 'binutils', for: build},
  {program: 'mkfs.vfat', package: 'dosfstools', for: build, writes: true},
  {
    ...{program: 'mkfs.ext4', package: 'e2fsprogs', for: build, versionWord: '-V', writes: true},
    from: {version: '1.46', why: 'what is tested: the oldest is that of Debian 11'},
  },
  {program: 'debugfs', package: 'e2fsprogs', for: build, versionWord: '-V', writes: true},
  {program: 'dumpe2fs', package: 'e2fsprogs', for: build},
  {program: 'eatmydata', package: 'eatmydata', for: build},
  {program: 'openssl', package: 'openssl', for: build, versionWord: 'version', writes: true},
  {program: 'dpkg-query', package: 'dpkg', for: build},
  {program: 'apt-get', package: 'apt', for: build},
  {program: 'apt-config', package: 'apt', for: build},
  {
    ...{program: 'mmdebstrap', package: 'mmdebstrap', for: build},
    from: {version: '0.7.5', why: 'what is tested: the oldest is that of Debian 11'},
  },
  {program: 'xorriso', package: 'xorriso', for: build},
  {program: 'unsquashfs', package: 'squashfs-tools', for: build},
  {
    ...{program: 'mksquashfs', package: 'squashfs-tools', for: build, versionWord: '-version', writes: true},
    from: {version: '4.4', why: 'the same bytes for the same content'},
  },
  {
    ...{program: 'python3', package: 'python3', for: disks, writes: true},
    from: {version: '3.9', why: '`str.removeprefix`'},
  },
  // Modules of Ubuntu 24.04, and every initrd.
  {program: 'zstd', package: 'zstd', for: ['build', 'boot']},
  {program: 'gpgv', package: 'gpgv', for: build},
  {program: 'base64', package: 'coreutils', for: build},
  {program: 'patch', package: 'patch', for: ['patch']},
  {program: 'dpkg-deb', package: 'dpkg', for: ['patch']},
  {program: 'curl', package: 'curl', for: ['download']},
  {program: 'sha256sum', package: 'coreutils', for: ['download']},
  {program: 'gpg', package: 'gpg', for: ['download']},
  {program: 'readelf', package: 'binutils', for: ['download']},
  {
    ...{program: 'qemu-system-x86_64', package: 'qemu-system-x86', for: ['boot']},
    from: {version: '6.2', why: 'what is tested: the version of Ubuntu 22.04'},
  },
]

/** The UEFI stub of systemd, where Debian and Ubuntu have it, and its package; of Ubuntu 22.04 that is systemd itself. */
export const uefiStub = {file: '/usr/lib/systemd/boot/efi/linuxx64.efi.stub', package: 'systemd-boot-efi'} as const

/** The oldest versions of what is not a tool of the list, or needs more for one purpose. */
export const oldest = {node: '20.19', qemuForSnp: '9.1'} as const

/** Subordinate ids that a tree needs: one for each id that a package may use. */
export const neededIds = 65_536

/** Free space that a base image needs while it is built: tree, one checkpoint, file system and qcow2. */
export const neededBytes = 4 * 1024 ** 3

/** The command that installs the packages of some tools. */
export function installCommand(missing: readonly Tool[]): string {
  const packages = [...new Set(missing.map((tool) => tool.package))].sort()
  return `sudo apt-get install --yes ${packages.join(' ')}`
}
