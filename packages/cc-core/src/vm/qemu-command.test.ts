import {describe, expect, it} from 'vitest'

import {qemuCommand, type VmOptions} from './index.js'

const machine: VmOptions = {
  ...{accelerator: 'tcg', memoryMiB: 1024, cpus: 2, kernel: '/i/vmlinuz', initrd: '/i/initrd.img'},
  ...{cmdline: 'console=ttyS0 panic=1', console: 'stdout'},
  disks: [{file: '/i/disk.qcow2', serial: 'cc-disk', mode: 'snapshot'}],
}
/** The words behind each occurrence of an option. */
const valuesOf = (argv: readonly string[], option: string) =>
  argv.flatMap((word, index) => (word === option ? [argv[index + 1]] : []))

it.each([
  ['virtio-scsi', ['virtio-scsi-pci', 'scsi-hd,drive=disk0,serial=s']],
  ['nvme', ['nvme,drive=disk0,serial=s']],
  ['sata', ['ide-hd,drive=disk0,serial=s']],
  ['usb', ['qemu-xhci', 'usb-storage,drive=disk0,serial=s']],
] as const)('attaches a disk by %s, with the controller that it needs', (bus, devices) => {
  const words = qemuCommand({...machine, disks: [{file: '/d', serial: 's', mode: 'snapshot', bus}]})
  expect(valuesOf(words, '-device')).toEqual(devices)
})

describe('qemuCommand', () => {
  it('is the whole machine, with nothing that QEMU would add by itself', () => {
    expect(qemuCommand(machine)).toEqual([
      ...['qemu-system-x86_64', '-no-user-config', '-nodefaults', '-no-reboot', '-display', 'none'],
      ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024'],
      ...['-kernel', '/i/vmlinuz', '-initrd', '/i/initrd.img', '-append', 'console=ttyS0 panic=1'],
      ...['-drive', 'if=none,id=disk0,format=qcow2,snapshot=on,file=/i/disk.qcow2'],
      ...['-device', 'virtio-blk-pci,drive=disk0,serial=cc-disk', '-nic', 'none'],
      ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console', '-monitor', 'none'],
    ])
  })

  it('doubles the commas of file names, which would start another option', () => {
    const file = '/a,snapshot=off'
    const argv = qemuCommand({
      ...{...machine, keys: {'cc-root': file}, console: {file}, monitor: file},
      disks: [{file, serial: 's', mode: 'snapshot'}],
    })
    expect(valuesOf(argv, '-drive')).toEqual(['if=none,id=disk0,format=qcow2,snapshot=on,file=/a,,snapshot=off'])
    expect(valuesOf(argv, '-fw_cfg')).toEqual(['name=opt/cc/keys/cc-root,file=/a,,snapshot=off'])
    expect(valuesOf(argv, '-chardev')).toEqual([
      'file,id=console,path=/a,,snapshot=off',
      'socket,id=monitor,path=/a,,snapshot=off,server=on,wait=off',
    ])
  })

  it('writes to a disk only when asked to', () => {
    const argv = qemuCommand({
      ...machine,
      disks: [
        {file: '/a', serial: 'a', mode: 'snapshot'},
        {file: '/b', serial: 'b', mode: 'read-write', format: 'raw'},
      ],
    })
    expect(valuesOf(argv, '-drive')).toEqual([
      'if=none,id=disk0,format=qcow2,snapshot=on,file=/a',
      'if=none,id=disk1,format=raw,snapshot=off,file=/b',
    ])
  })

  it('lets nothing out of the network unless it is told so', () => {
    const network = (options: VmOptions['network']) => valuesOf(qemuCommand({...machine, network: options}), '-nic')
    expect(network(undefined)).toEqual(['none'])
    expect(network({kind: 'user'})).toEqual(['user,model=virtio-net-pci,restrict=on'])
    expect(network({kind: 'user', restrict: false})).toEqual(['user,model=virtio-net-pci,restrict=off'])
  })
})
