import {mkdir, open, readFile, truncate, writeFile} from 'node:fs/promises'
import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

import {hostileFilesystem} from '../hostile-disk.js'
import type {Machine} from '../machine.js'
import {tampered, type Tampering} from './tampered.js'

const mebibyte = 1024 ** 2

/** A raw disk of the host with a GPT; each partition has 16 MiB. */
export async function hostileDisk(
  folder: string,
  name: string,
  partitions: readonly {type: string; name: string; content?: string}[],
): Promise<string> {
  const disk = join(folder, `${name}.raw`)
  await writeFile(disk, '')
  await truncate(disk, (2 + 16 * partitions.length + 1) * mebibyte)
  const lines = partitions.map(({type, name}) => `size=16M, type=${type}, name="${name}"`)
  await run(['sfdisk', '--quiet', disk], {input: `label: gpt\nfirst-lba: 2048\n${lines.join('\n')}\n`})
  const target = await open(disk, 'r+')
  try {
    for (const [index, {content}] of partitions.entries()) {
      if (content === undefined) continue
      const bytes = await readFile(content)
      await target.write(bytes, 0, bytes.length, mebibyte + index * 16 * mebibyte)
    }
  } finally {
    await target.close()
  }
  return disk
}

async function attachDisk(
  machine: Machine,
  serial: string,
  partitions: Parameters<typeof hostileDisk>[2],
): Promise<void> {
  const file = await hostileDisk(machine.folder, serial, partitions)
  machine.disks.push({file, serial, format: 'raw', mode: 'read-write'})
}

/** GUIDs of the Discoverable Partitions Specification, for x86-64. */
export const types = {
  root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  home: '933AC7E1-2EB4-4F13-B844-0E14E2AEF915',
  var: '4D21B016-B534-45C2-A9FB-5C16E091FD2D',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
}

const unit = '[Service]\nExecStart=/bin/sh -c "echo CC-OWNED >/dev/console"\n'
const dropIn = '[Service]\nExecStartPost=/bin/sh -c "echo CC-OWNED >/dev/console"\n'
/** The password "owned", as crypt(3) keeps it. */
const hashOfOwned = '$6$cc$Is9LULBYD4q2CfyD4Pk3tj27hTgfeWyfkQC7MW0aK4svXK0lfAZcjMVsmBzs2sdVFAKU3vJtODfaExqX/.YRT0'
const base64 = (text: string) => Buffer.from(text).toString('base64')

const device = (
  id: string,
  title: string,
  action: string,
  words: readonly string[] | ((machine: Machine) => string[] | Promise<string[]>),
  because: string,
  more: Partial<Tampering> = {},
): Tampering => ({
  ...{id, title, action, because, group: 'devices', powerless: true},
  prepare: async (machine) => {
    machine.devices.push(...(typeof words === 'function' ? await words(machine) : words))
  },
  ...more,
})

export const deviceManipulations = tampered([
  {
    ...{id: 'seed-disk', group: 'devices', title: 'A seed of cloud-init is attached', quick: true, powerless: true},
    ...{together: true, untouched: ['seed']},
    action: 'attaches a disk CIDATA whose user-data makes an account and runs a program (NoCloud)',
    because: 'there is no cloud-init, and nothing mounts a disk by its label',
    prepare: async (machine) => {
      const seed = join(machine.folder, 'seed')
      await mkdir(seed)
      const data =
        '#cloud-config\npassword: owned\nchpasswd: {expire: false}\nssh_pwauth: true\nbootcmd:\n - echo CC-OWNED >/dev/console\n'
      await writeFile(join(seed, 'user-data'), data)
      await writeFile(join(seed, 'meta-data'), 'instance-id: owned\nlocal-hostname: owned\n')
      const iso = join(machine.folder, 'seed.iso')
      await run(['xorriso', '-as', 'mkisofs', '-quiet', '-V', 'CIDATA', '-J', '-r', '-o', iso, seed])
      machine.disks.push({file: iso, serial: 'seed', format: 'raw', mode: 'read-write'})
    },
  },
  device(
    'smbios-credentials',
    'SMBIOS brings credentials, and names of the machine',
    'passes credentials for a root password, a unit and a host name by SMBIOS type 11, and maker, product, serial number and UUID by type 1',
    [
      ...['-smbios', 'type=11,value=io.systemd.credential:passwd.plaintext-password.root=owned'],
      ...['-smbios', `type=11,value=io.systemd.credential.binary:systemd.extra-unit.owned.service=${base64(unit)}`],
      ...[
        '-smbios',
        `type=11,value=io.systemd.credential.binary:systemd.unit-dropin.cc-boot-check.service=${base64(dropIn)}`,
      ],
      ...['-smbios', 'type=11,value=io.systemd.credential:system.hostname=owned'],
      ...['-smbios', 'type=11,value=io.systemd.stub.kernel-cmdline-extra=init=/bin/sh'],
      ...['-smbios', 'type=1,manufacturer=owned,product=owned,serial=owned,uuid=00000000-0000-4000-8000-00000000c0de'],
    ],
    'the measured command line says systemd.import_credentials=no; nothing is chosen by the names of the machine',
    {quick: true, together: true},
  ),
  device(
    'fw-cfg-credentials',
    'fw_cfg brings credentials',
    'passes credentials for a root password, a unit, a line on the console and a host name by fw_cfg',
    // Names of fw_cfg have at most 55 characters.
    [
      ...['-fw_cfg', `name=opt/io.systemd.credentials/passwd.hashed-password.root,string=${hashOfOwned}`],
      ...['-fw_cfg', `name=opt/io.systemd.credentials/systemd.extra-unit.o.service,string=${unit}`],
      ...['-fw_cfg', 'name=opt/io.systemd.credentials/tmpfiles.extra,string=w /dev/console - - - - CC-OWNED'],
      ...['-fw_cfg', 'name=opt/io.systemd.credentials/system.hostname,string=owned'],
    ],
    'the measured command line says systemd.import_credentials=no',
  ),
  {
    ...{id: 'disk-filesystem', group: 'devices', title: 'A damaged file system is attached', powerless: true},
    action: 'attaches a disk with an ext4 whose numbers contradict each other',
    because: 'nothing mounts or examines a disk that boot.conf does not name',
    untouched: ['hostile'],
    prepare: async (machine) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
      machine.disks.push({file, serial: 'hostile', format: 'raw', mode: 'read-write'})
    },
  },
  {
    ...{id: 'disk-gpt-auto', group: 'devices', title: 'Partitions with well-known types are attached', powerless: true},
    action: 'attaches a disk with partitions of the types root, home, var and ESP, each with files of the host',
    because: 'the measured command line says systemd.gpt_auto=0',
    untouched: ['auto'],
    prepare: async (machine) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
      const all = (['root', 'home', 'var', 'esp'] as const).map((name) => ({type: types[name], name, content: file}))
      await attachDisk(machine, 'auto', all)
    },
  },
  {
    ...{id: 'disk-swap', group: 'devices', title: 'A swap partition is attached', powerless: true},
    action: 'attaches a disk with a partition of the type swap, made by mkswap',
    because: 'the measured command line says systemd.swap=0, and boot-check powers off where swap is on',
    untouched: ['swap'],
    prepare: async (machine) => {
      const swap = join(machine.folder, 'swap')
      await writeFile(swap, '')
      await truncate(swap, 16 * mebibyte)
      await run(['mkswap', '--label', 'swap', swap])
      await attachDisk(machine, 'swap', [{type: types.swap, name: 'swap', content: swap}])
    },
  },
  {
    ...{id: 'disk-labels', group: 'devices', title: 'A file system with the label of ours is attached'},
    action: 'attaches a disk whose file system has the label, and whose partition has the type, of cc-root',
    because: 'labels and types are not looked at',
    ...{powerless: true, untouched: ['labels']},
    prepare: async (machine) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
      await attachDisk(machine, 'labels', [{type: types.root, name: 'CC-ROOT', content: file}])
    },
  },
  device(
    'virtfs',
    'A folder of the host is offered by 9p',
    'offers a folder of the host by virtio-9p',
    async (machine) => {
      const shared = join(machine.folder, 'shared')
      await mkdir(shared)
      return ['-virtfs', `local,path=${shared},mount_tag=owned,security_model=none`]
    },
    'the machine comes up the same; inside-mounts tells that nothing mounts it',
  ),
  device(
    'virtio-serial',
    'A virtio console and the port of a guest agent are offered',
    'offers hvc0 and the port org.qemu.guest_agent.0, and reads what is said there',
    (machine) => [
      ...['-device', 'virtio-serial-pci'],
      ...['-chardev', `file,id=hvc,path=${join(machine.folder, 'hvc0')}`, '-device', 'virtconsole,chardev=hvc'],
      ...['-chardev', `file,id=agent,path=${join(machine.folder, 'agent')}`],
      ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ],
    'nothing is offered there; inside-logins tells that no program reads them',
    {channels: ['hvc0', 'agent']},
  ),
  device(
    'serial-ports',
    'More serial ports are offered',
    'offers ttyS1 and ttyS2, and reads what is said there',
    (machine) => [
      ...['-serial', `file:${join(machine.folder, 'ttyS1')}`],
      ...['-serial', `file:${join(machine.folder, 'ttyS2')}`],
    ],
    'nothing is offered there; inside-logins tells that no program reads them',
    {channels: ['ttyS1', 'ttyS2']},
  ),
  device(
    'usb',
    'USB devices are attached',
    'attaches a USB keyboard, a tablet and a USB stick',
    async (machine) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
      return [
        ...['-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd,bus=usb.0', '-device', 'usb-tablet,bus=usb.0'],
        ...['-drive', `if=none,id=stick,format=raw,file=${file}`],
        ...['-device', 'usb-storage,bus=usb.0,drive=stick'],
      ]
    },
    'the machine comes up the same, and nothing mounts or examines the stick',
    {untouched: ['stick']},
  ),
  device(
    'virtio-rng',
    'The host offers randomness and takes memory',
    'attaches virtio-rng with a file of zeros, a balloon and a watchdog',
    async (machine) => {
      const zeros = join(machine.folder, 'zeros')
      await writeFile(zeros, Buffer.alloc(mebibyte))
      return [
        ...['-object', `rng-random,id=zeros,filename=/dev/zero`, '-device', 'virtio-rng-pci,rng=zeros'],
        ...['-device', 'virtio-balloon-pci', '-device', 'i6300esb'],
      ]
    },
    "the kernel's generator has the processor's, and nothing feeds the watchdog",
  ),
  device(
    'vsock',
    'A vsock is offered',
    'attaches vhost-vsock',
    ['-device', 'vhost-vsock-pci,guest-cid=4242'],
    'the machine comes up the same; inside-vsock tells that no program listens there',
    {impossible: () => (existsSync('/dev/vhost-vsock') ? null : 'this host has no /dev/vhost-vsock')},
  ),
  ...[1970, 2001, 2100].map((year) =>
    device(
      `clock-${year}`,
      `The clock of the host says ${year}`,
      `starts the machine in the year ${year}`,
      ['-rtc', `base=${year}-01-01T00:00:00`],
      'nothing of the boot depends on the clock',
    ),
  ),
  {
    ...{id: 'small-memory', group: 'devices', title: 'The machine has 512 MiB of memory', powerless: true},
    action: 'starts the machine with 512 MiB of memory',
    because: 'it works, or says that its memory is too small and powers off',
    detected: /cc: FAILED: .*memory/,
    prepare: (machine) => {
      machine.memoryMiB = 512
    },
  },
  {
    ...{
      id: 'many-processors',
      group: 'devices',
      title: 'The machine has another number of processors',
      powerless: true,
    },
    action: 'starts the machine with four processors; all other tries have one',
    because: 'nothing of the boot depends on the number; it is a part of the launch digest',
    prepare: (machine) => {
      machine.cpus = 4
    },
  },
])
