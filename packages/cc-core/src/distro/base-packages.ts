/** The same names in Debian and Ubuntu. Recommended packages are not installed, so this list is complete. */
export const basePackages: readonly string[] = [
  // init
  'systemd-sysv',
  'udev',
  'dbus',
  // initrd and disks
  'initramfs-tools',
  'kmod',
  'zstd',
  'cryptsetup-bin',
  'dmsetup',
  'e2fsprogs',
  'fdisk',
  // network
  'netbase',
  'iproute2',
  'nftables',
  'ca-certificates',
  // people and time
  'locales',
  'passwd',
  'tzdata',
]
