/** A disk of the machine. The guest sees the serial, for example below /dev/disk/by-id. */
export interface VmDisk {
  /** Path of the image. */
  file: string
  /** At most 20 characters: the limit of virtio-blk. */
  serial: string
  format?: 'qcow2' | 'raw'
  /** snapshot: what the guest writes goes to a temporary file and is lost when the machine stops. */
  mode: 'snapshot' | 'read-write'
  /** How it is attached; virtio-blk by default. */
  bus?: keyof typeof buses
}

/** The device of a disk, and the controller that it needs, by the way in which it is attached. */
const buses = {
  'virtio-blk': {device: 'virtio-blk-pci', controller: []},
  'virtio-scsi': {device: 'scsi-hd', controller: ['-device', 'virtio-scsi-pci']},
  nvme: {device: 'nvme', controller: []},
  // The controller of the machine q35 itself.
  sata: {device: 'ide-hd', controller: []},
  usb: {device: 'usb-storage', controller: ['-device', 'qemu-xhci']},
} as const

export type Accelerator = 'kvm' | 'tcg'

/** A virtual machine that boots a kernel directly, as the measured launch does. Paths are absolute. */
export interface VmOptions {
  accelerator: Accelerator
  memoryMiB: number
  cpus: number
  kernel: string
  /** Without one the kernel has no user space, and panics when it is up. */
  initrd?: string
  cmdline: string
  disks: readonly VmDisk[]
  /** Files with keys by the partition that they open; for the key source `development`. */
  keys?: Readonly<Record<string, string>>
  /** user: behind QEMU's own address translation, which lets nothing out unless `restrict` is false. */
  network?: 'none' | {kind: 'user'; restrict?: boolean}
  /** Where the serial console goes: our stdout, or a file. keys: our stdin is read, too, with Ctrl-A as in qemu(1). */
  console: 'stdout' | 'keys' | {file: string}
  /** Path of a unix socket that speaks QMP; none by default. */
  monitor?: string
  /** Further words, for devices that only a test has. */
  more?: readonly string[]
}

/**
 * The command that starts the machine. Pure: the same options give the same words, so that what is shown, what is
 * run and what a launcher does can be compared. Secrets are in files only, never among the words.
 */
export function qemuCommand(options: VmOptions): string[] {
  const {accelerator, memoryMiB, cpus, kernel, initrd, cmdline, disks, keys = {}, network = 'none'} = options
  return [
    ...['qemu-system-x86_64', '-no-user-config', '-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-machine', 'q35', '-accel', accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi', '-cpu', 'max'],
    ...['-smp', String(cpus), '-m', String(memoryMiB)],
    ...['-kernel', kernel, ...(initrd === undefined ? [] : ['-initrd', initrd]), '-append', cmdline],
    ...disks.flatMap(diskWords),
    ...Object.entries(keys).flatMap(([partition, file]) => ['-fw_cfg', list({name: `opt/cc/keys/${partition}`, file})]),
    ...networkWords(network),
    ...['-chardev', consoleWord(options.console), '-serial', 'chardev:console'],
    ...(options.monitor === undefined ? ['-monitor', 'none'] : monitorWords(options.monitor)),
    ...(options.more ?? []),
  ]
}

function diskWords({file, serial, format = 'qcow2', mode, bus = 'virtio-blk'}: VmDisk, index: number): string[] {
  const id = `disk${index}`
  const snapshot = mode === 'snapshot' ? 'on' : 'off'
  const {device, controller} = buses[bus]
  return [
    ...['-drive', list({if: 'none', id, format, snapshot, file})],
    ...controller,
    ...['-device', `${device},${list({drive: id, serial})}`],
  ]
}

function networkWords(network: VmOptions['network']): string[] {
  if (network === undefined || network === 'none') return ['-nic', 'none']
  return ['-nic', `user,${list({model: 'virtio-net-pci', restrict: network.restrict === false ? 'off' : 'on'})}`]
}

function consoleWord(console: VmOptions['console']): string {
  // signal=off: Ctrl-C is ours to handle.
  if (console === 'stdout') return 'stdio,id=console,signal=off'
  if (console === 'keys') return 'stdio,id=console,signal=off,mux=on'
  return `file,${list({id: 'console', path: console.file})}`
}

const monitorWords = (socket: string) => [
  ...['-chardev', `socket,${list({id: 'monitor', path: socket, server: 'on', wait: 'off'})}`],
  ...['-mon', 'chardev=monitor,mode=control'],
]

/** Options of one word. A comma separates them, so one inside a value is doubled (qemu(1), "-drive"). */
function list(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',')
}
