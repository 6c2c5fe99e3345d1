/** What the kernel command line depends on. */
export interface CommandLineOptions {
  /** The console of the kernel and of our boot programs, for example ttyS0. */
  console: string
  /** Further words, from boot.cmdline in cc.yaml. */
  extra?: readonly string[]
  /** The words of a hardened image; without it, those of the other stages. */
  hardened?: HardenedWords | undefined
}

export interface HardenedWords {
  lockdown: 'none' | 'integrity' | 'confidentiality'
  /** Nothing is taken from QEMU's fw_cfg, which in a development image hands over the keys. */
  production: boolean
}

/**
 * The kernel command line of an image. It is part of the launch measurement, so this is the only place that writes
 * one: the image directory, the launcher, the expected measurement and the tests all use the text that this returns.
 * What boots is decided by boot.conf in the initrd, never here.
 */
export function kernelCommandLine({console, extra = [], hardened}: CommandLineOptions): string {
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
    // systemd takes the EFI variable SystemdOptions for a part of the command line, and the host writes EFI variables.
    // Without the firmware's run-time services there are none.
    'efi=noruntime',
    // The seed of the boot loader is the host's; the processor's generator is not.
    'random.trust_bootloader=off',
    ...(hardened === undefined ? [] : hardenedWords(hardened)),
    ...extra,
  ].join(' ')
}

/** Names of all parameters that we set ourselves, in any image. */
export function ownParameters(): string[] {
  const all = kernelCommandLine({console: 'ttyS0', hardened: {lockdown: 'integrity', production: true}})
  return all.split(' ').map((word) => word.split('=')[0] ?? '')
}

/** https://docs.kernel.org/admin-guide/kernel-parameters.html and kernel-command-line(7) of systemd. */
function hardenedWords({lockdown, production}: HardenedWords): string[] {
  return [
    // Only modules that the distribution has signed, and no writing to the kernel's memory by root.
    ...(lockdown === 'none' ? [] : [`lockdown=${lockdown}`, 'module.sig_enforce=1']),
    // From the first moment, not only when the sysctl duty has run: a break on the serial line is a SysRq.
    'sysctl.kernel.sysrq=0',
    // An oops must not turn the messages of the kernel, which may hold data, back on.
    'printk.console_no_auto_verbose=1',
    'debugfs=off',
    'vsyscall=none',
    'slab_nomerge',
    'init_on_alloc=1',
    'randomize_kstack_offset=on',
    'systemd.show_status=no',
    'systemd.crash_shell=no',
    'systemd.dump_core=no',
    'systemd.firstboot=no',
    // A generator of systemd 256 and newer opens sshd on AF_VSOCK, which belongs to the host.
    'systemd.ssh_auto=no',
    ...(production ? ['module_blacklist=qemu_fw_cfg'] : []),
  ]
}

/**
 * The command line as a file of an image directory: with a line end, since people read it and programs append to it.
 * Who hands it to a kernel takes decodeCommandLine: one character more is another measurement.
 */
export const encodeCommandLine = (cmdline: string): string => `${cmdline}\n`

/** The command line as a kernel gets it, from the text of the file. */
export const decodeCommandLine = (text: string): string => text.replace(/\n$/, '')
