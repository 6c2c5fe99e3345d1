/** What the kernel command line depends on. */
export interface CommandLineOptions {
  /** The console of the kernel and of our boot programs, for example ttyS0. */
  console: string
  /** Further words, from boot.cmdline in cc.yaml. */
  extra?: readonly string[]
}

/**
 * The kernel command line of an image. It is part of the launch measurement, so this is the only place that writes
 * one: the image directory, the launcher, the expected measurement and the tests all use the text that this returns.
 * What boots is decided by boot.conf in the initrd, never here.
 */
export function kernelCommandLine({console, extra = []}: CommandLineOptions): string {
  return [
    `console=${console}`,
    'quiet',
    'loglevel=4',
    // No shell in the initrd, and no limping on: initramfs-tools and the kernel reboot, which the launcher turns into an end.
    'panic=1',
    'oops=panic',
    // systemd would mount, and swap to, whatever partition of the host's disk has the right type.
    'systemd.gpt_auto=0',
    'systemd.swap=0',
    // Credentials come from the host by SMBIOS and fw_cfg, and may set passwords and units.
    'systemd.import_credentials=no',
    // The seed of the boot loader is the host's; the processor's generator is not.
    'random.trust_bootloader=off',
    ...extra,
  ].join(' ')
}
