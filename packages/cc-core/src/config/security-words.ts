/** Bits of the guest policy: SEV-SNP firmware ABI specification (56860), "Guest Policy". */
export const policyBits = {
  /** Two threads of one core may run at the same time. */
  smt: 0x10000n,
  /** Reserved, and has to be one. */
  reserved: 0x20000n,
  migrationAgent: 0x40000n,
  debug: 0x80000n,
  /** All of the guest is on one socket. */
  singleSocket: 0x100000n,
} as const

/**
 * Kernel parameters that open an image, by the beginning of their name, with `-` and `_` as the same.
 * https://docs.kernel.org/admin-guide/kernel-parameters.html, kernel-command-line(7) and initramfs-tools(7).
 */
const opening: readonly [pattern: RegExp, reason: string][] = [
  [/^(init|rdinit|rd_init)$/, 'starts another program in place of the system'],
  [/^(single|s|[1-6]|emergency|rescue|b|rd\.break|break|rdbreak|sushell)$/i, 'leads to a shell'],
  [
    /^(root|rootflags|rootfstype|boot|nfsroot|resume|initrd|initrdmem|mount\.|ip$|cryptopts|cryptdevice)/,
    'changes what boots',
  ],
  [/^(systemd|rd|udev|luks|fsck|quotacheck|veritytab|roothash|usrhash)([._]|$)/, 'changes what systemd or udev does'],
  [
    /^(lockdown|module|modprobe|dm_mod|dm_verity|dm_crypt|security|lsm|ima|evm|apparmor|selinux|efi|efivar_ssdt)([._]|$)/,
    'changes what protects the kernel',
  ],
  [
    /^(kgdb|kdb|kgdbwait|kgdboc|nokaslr|nosmap|nosmep|nopti|pti|iomem|strict_devmem|debugfs|debugpat|ftrace|kprobe|trace)/,
    'opens the kernel to a debugger',
  ],
  [
    /^(mitigations|nospectre|spectre|spec_|l1tf|mds|tsx|nospec|retbleed|srbds|mmio_stale|gather_data|reg_file|spec_rstack)/,
    'changes mitigations of processor flaws',
  ],
  [
    /^(mem_encrypt|sev|nosev|noxsave|random|init_on|slab|slub|page_poison|hardened_usercopy|vsyscall|vdso)/,
    'changes how memory and randomness are protected',
  ],
  [
    /^(sysrq|sysctl|panic|oops|nmi_watchdog|crashkernel|kexec|swapaccount)/,
    'changes what a failure or the console can do',
  ],
  [
    /^(console|earlycon|earlyprintk|netconsole|printk|loglevel|debug|ignore_loglevel|initcall_debug|quiet|log_buf|dyndbg|early_)/,
    'shows more of the machine to the host',
  ],
  [/^(cgroup|psi)/, 'takes away the limits of the service'],
  [/^(acpi|memmap|mem$|iommu$|intel_iommu|amd_iommu|dsdt|usbcore|pcie_acs)/, 'changes what the host may tell or reach'],
]

/**
 * Why a production image refuses a kernel parameter, or null. The kernel takes the last word of a name, so one that we
 * set ourselves may not be set again; and what neither the kernel nor systemd knows becomes a variable of every program.
 * @param own names of the parameters that we set ourselves
 */
export function refusedParameter(word: string, own: readonly string[]): string | null {
  const name = normal(word.split('=')[0] ?? '')
  if (word.includes('"')) return 'has a quote, which hides what follows'
  if (word.startsWith('-')) return 'begins the arguments of init'
  if (/^[A-Z]/.test(word) && word.includes('=')) return 'becomes a variable of the environment of every program'
  if (own.map(normal).includes(name)) return 'is set by us, and the last word counts'
  return opening.find(([pattern]) => pattern.test(name))?.[1] ?? null
}

const normal = (name: string) => name.replaceAll('-', '_')
