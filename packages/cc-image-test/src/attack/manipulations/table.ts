import {randomBytes} from 'node:crypto'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

import type {Bench} from '../bench.js'
import {fill, placeFile} from '../disk-edit.js'
import {editTable, type GptEntry} from '../gpt.js'
import {firstDisk, makeLayer, type Machine} from '../machine.js'
import {verityPartition} from '../other-build.js'
import {partitionOf, verityStops, without} from './disk.js'
import {tampered, type Tampering} from './tampered.js'

const sector = 512
const diskBytes = ({subject}: Bench) => subject.image.manifest.disk.bytes

const edited = (change: (entries: GptEntry[]) => GptEntry[]) => (machine: Machine, bench: Bench) =>
  editTable(machine, diskBytes(bench), change)

const renamed = (names: Readonly<Record<string, string>>) =>
  edited((entries) => entries.map((entry) => ({...entry, name: names[entry.name] ?? entry.name})))

/** The disk of the image by another controller: names count, not places. */
const onBus = (bus: 'virtio-scsi' | 'nvme' | 'sata' | 'usb'): Tampering => ({
  ...{id: `bus-${bus}`, group: 'table', title: `The disk is attached by ${bus}`},
  action: `attaches the disk by ${bus} rather than by virtio-blk`,
  prepare: (machine) => {
    machine.disks = [{...firstDisk(machine.disk), bus}]
  },
  powerless: true,
  detected: /cc: FAILED: cc-root: no partition has this name/,
  because:
    bus === 'sata' || bus === 'usb'
      ? 'partitions are found by their GPT name; a controller that the initrd has no driver for is no disk'
      : 'partitions are found by their GPT name, on whatever controller',
})

const noSuchName = /cc: FAILED: cc-[a-z]+: no partition has this name/
const twoNames = /cc: FAILED: cc-[a-z]+: two partitions have this name/

export const tableManipulations = tampered([
  {
    ...{id: 'gpt-primary', group: 'table', title: 'The partition table is destroyed'},
    action: 'writes zeros over the header and the entries of the primary GPT',
    prepare: ({disk}) => fill(disk, sector, 33 * sector, 0),
    detected: noSuchName,
    powerless: true,
    because: 'without a table there are no names; a second copy has the same ones',
  },
  {
    ...{id: 'gpt-backup', group: 'table', title: 'The second copy of the partition table is destroyed'},
    action: 'writes zeros over the backup GPT',
    prepare: ({disk}, bench) => fill(disk, diskBytes(bench) - 33 * sector, 33 * sector, 0),
    powerless: true,
    because: 'the primary table is used',
  },
  {
    ...{id: 'gpt-both', group: 'table', title: 'Both copies of the partition table are destroyed'},
    action: 'writes zeros over both copies of the GPT',
    prepare: async ({disk}, bench) => {
      await fill(disk, 0, 34 * sector, 0)
      await fill(disk, diskBytes(bench) - 33 * sector, 33 * sector, 0)
    },
    detected: noSuchName,
    because: 'partitions are found by their GPT name, or not at all',
  },
  {
    ...{id: 'gpt-flip', group: 'table', title: 'One byte of the partition table is changed'},
    action: 'changes the checksum of the primary GPT',
    prepare: ({disk}) => fill(disk, sector + 88, 4, 0xa5),
    detected: noSuchName,
    powerless: true,
    because: 'the kernel refuses a table whose checksum is wrong',
  },
  {
    ...{id: 'gpt-swap', group: 'table', title: 'Two partitions change names'},
    action: 'calls cc-root cc-app, and cc-app cc-root',
    impossible: without('cc-app', 'any'),
    prepare: renamed({'cc-root': 'cc-app', 'cc-app': 'cc-root'}),
    detected: /cc: FAILED: cc-root: |verity.*(corrupt|panic)|dm-verity/,
    because: 'what now has the name cc-root is not what the measured initrd describes',
  },
  {
    ...{id: 'gpt-swap-ro', group: 'table', title: 'cc-ro and cc-out change names'},
    action: 'calls cc-ro cc-out, and cc-out cc-ro',
    impossible: (bench) => without('cc-ro', 'verity')(bench) ?? without('cc-out', 'any')(bench),
    prepare: renamed({'cc-ro': 'cc-out', 'cc-out': 'cc-ro'}),
    detected: verityStops,
    because: 'what now has the name cc-ro has not its root hash',
  },
  {
    ...{id: 'gpt-rename', group: 'table', title: 'A partition has another name'},
    action: 'calls cc-root something else',
    prepare: renamed({'cc-root': 'cc-toor'}),
    detected: noSuchName,
    because: 'the root is looked for by its name',
  },
  {
    ...{id: 'gpt-duplicate', group: 'table', title: 'A name stands twice on one disk'},
    action: 'adds a second partition cc-root over the same blocks',
    prepare: edited((entries) => {
      const root = entries.find(({name}) => name === 'cc-root')
      return root === undefined ? entries : [{...root, guid: randomBytes(16)}, ...entries]
    }),
    // The kernel passes over a partition that overlaps another where it notices; both ends are good.
    detected: /cc: FAILED: cc-root: (two partitions have|no partition has) this name/,
    because: 'a name that stands twice is refused',
  },
  {
    ...{id: 'gpt-shifted', group: 'table', title: 'cc-root begins elsewhere'},
    action: 'lets cc-root begin 4096 bytes later',
    prepare: edited((entries) =>
      entries.map((entry) => (entry.name === 'cc-root' ? {...entry, firstLba: entry.firstLba + 8n} : entry)),
    ),
    detected: /cc: FAILED: cc-root: |verity.*(corrupt|panic)/,
    because: 'the wrong blocks decrypt to noise',
  },
  {
    ...{id: 'gpt-short', group: 'table', title: 'cc-root is cut off'},
    action: 'lets cc-root end after 8 MiB',
    prepare: edited((entries) =>
      entries.map((entry) => (entry.name === 'cc-root' ? {...entry, lastLba: entry.firstLba + 16383n} : entry)),
    ),
    detected: /cc: FAILED: cc-root: |verity.*(corrupt|panic)|I\/O error|attempt to access beyond/i,
    because: 'the root does not fit into what is left',
  },
  {
    ...{id: 'disk-truncated', group: 'table', title: 'The disk ends early'},
    action: 'gives the machine a disk that ends in the middle of cc-root',
    diskBytes: (bench) => {
      const {start, content} = partitionOf(bench, 'cc-root')
      return Math.floor((start + (content?.bytes ?? 0) / 2) / 65536) * 65536
    },
    prepare: () => undefined,
    detected: /cc: FAILED: cc-[a-z]+: |verity.*(corrupt|panic)|Kernel panic/,
    because: 'what is cut off cannot be read',
  },
  {
    ...{id: 'disk-missing', group: 'table', title: 'There is no disk'},
    action: 'starts the machine without its disk',
    prepare: (machine) => {
      machine.disks = []
    },
    detected: noSuchName,
    because: 'there is no partition of that name',
  },
  {
    ...{id: 'disk-twice', group: 'table', title: 'The same disk stands there twice', quick: true},
    action: 'attaches a copy of the disk as a second one',
    prepare: async (machine, {subject}) => {
      const second = join(machine.folder, 'second.qcow2')
      await makeLayer(subject.disk, second)
      machine.disks.push({file: second, serial: 'cc-disk-2', mode: 'read-write'})
    },
    detected: twoNames,
    because: 'a name that stands twice is refused, whatever the order of the disks',
  },
  {
    ...{id: 'disk-order', group: 'table', title: 'Another disk comes first'},
    action: 'puts an empty disk before the disk of the image',
    prepare: async (machine) => {
      const empty = join(machine.folder, 'empty.qcow2')
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', empty, '64M'])
      machine.disks.unshift({file: empty, serial: 'first', mode: 'read-write'})
    },
    powerless: true,
    because: 'partitions are found by their GPT name, not by the order of disks',
  },
  ...(['virtio-scsi', 'nvme', 'sata', 'usb'] as const).map(onBus),
  {
    ...{id: 'ro-other', group: 'table', title: 'cc-ro is put back to another build'},
    action: 'puts a valid file system with a valid hash tree of its own in the place of cc-ro',
    impossible: without('cc-ro', 'verity'),
    prepare: async (machine, bench) => {
      const {start, size} = partitionOf(bench, 'cc-ro')
      const {file, bytes} = await verityPartition(machine.folder, bench.subject.signal)
      if (bytes > size) throw new Error(`the other cc-ro has ${bytes} bytes, cc-ro has ${size}`)
      await placeFile(machine.disk, start, file, bytes)
    },
    detected: verityStops,
    because: 'the root hash is in the measured initrd, not on the disk',
  },
])
