import {join} from 'node:path'

import {run} from 'cc-core/exec'

import {serveDisk, type Answer, type DiskRequest, type ServedDisk} from '../nbd.js'
import type {Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import type {Manipulation} from '../manipulation.js'
import {partitionOf, verityStops, without} from './disk.js'
import {live} from './live.js'
import {tampered, type Tampering} from './tampered.js'

const block = 4096
const sectorsOfTable = 34 * 512

/** Serve the disk of a machine ourselves, so that what it reads is ours to say. */
async function serve(machine: Machine, answer: (request: DiskRequest) => Answer): Promise<ServedDisk> {
  const raw = join(machine.folder, 'disk.raw')
  await run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', machine.disk, raw])
  // A unix socket has a short path, wherever the work folder is.
  const served = await serveDisk(
    raw,
    join('/tmp', `cc-nbd-${process.pid}-${machine.folder.split('/').at(-1) ?? ''}`),
    answer,
  )
  machine.disks = machine.disks.map((disk) =>
    disk.file === machine.disk ? {...disk, file: served.url, format: 'raw'} : disk,
  )
  return served
}

/** The first time a block is read it is as it was; each time after that it is another one, until the guest writes it. */
export function secondReads(from: number, to: number): (request: DiskRequest) => Answer {
  const seen = new Set<number>()
  return ({kind, offset, length}) => {
    const blocks: number[] = []
    const [first, last] = [Math.max(offset, from), Math.min(offset + length, to)]
    for (let at = Math.floor(first / block); at * block < last; at++) blocks.push(at)
    if (kind === 'write') {
      for (const at of blocks) seen.delete(at)
      return null
    }
    const again = blocks.filter((at) => seen.has(at))
    for (const at of blocks) seen.add(at)
    if (again.length === 0) return null
    return (content) => {
      for (const at of again) {
        const start = Math.max(at * block, first) - offset
        content.fill(0xa5, start, Math.min((at + 1) * block, last) - offset)
      }
    }
  }
}

/** A machine whose disk answers every second question otherwise. */
function changing(
  about: Pick<Tampering, 'id' | 'title' | 'action' | 'because' | 'detected' | 'quick' | 'impossible'>,
  area: (bench: Bench) => {from: number; to: number},
): Tampering {
  let served: ServedDisk | undefined
  return {
    ...about,
    ...{group: 'disk', powerless: true},
    prepare: async (machine, bench) => {
      const {from, to} = area(bench)
      served = await serve(machine, secondReads(from, to))
    },
    finish: async () => served?.close(),
  }
}

/** A machine whose disk fails once it is up. */
function failing(): Manipulation[] {
  let served: ServedDisk | undefined
  let broken = false
  return live([
    {
      ...{id: 'disk-errors', group: 'disk', title: 'The disk fails while the machine runs'},
      action: 'answers everything that the machine reads or writes with an input/output error, once it is up',
      because: 'what was read is checked or fails, and a failure is no shell',
      mayEnd: /verity|I\/O error|cc: FAILED|Kernel panic/,
      prepare: async (machine) => {
        broken = false
        served = await serve(machine, () => (broken ? 'error' : null))
      },
      act: ({ask}) => {
        broken = true
        // Something that makes the machine look at its disk: the power button starts programs, or nothing.
        return ask('system_powerdown')
      },
      finish: async () => served?.close(),
    },
  ])
}

export const changingDiskManipulations: readonly Manipulation[] = [
  ...tampered([
    changing(
      {
        ...{id: 'disk-changes', title: 'cc-root is another one the second time it is read', quick: true},
        action: 'serves the disk itself: a block of cc-root that is read again is noise',
        because: 'dm-verity compares each block each time that it comes from the disk',
        detected: verityStops,
        impossible: without('cc-root', 'verity'),
      },
      (bench) => {
        const {start, content} = partitionOf(bench, 'cc-root')
        return {from: start, to: start + (content?.bytes ?? 0)}
      },
    ),
    changing(
      {
        ...{id: 'table-changes', title: 'The partition table is another one the second time it is read'},
        action: 'serves the disk itself: the partition table is noise when it is read again',
        because: 'where the table is read again, no partition has its name, and the machine powers off',
        detected: /cc: FAILED: /,
      },
      () => ({from: 0, to: sectorsOfTable}),
    ),
    {
      ...{id: 'disk-errors-boot', group: 'disk', title: 'The disk fails while the machine boots'},
      action: 'serves the disk itself: the second half of cc-root cannot be read',
      because: 'a part of the system that cannot be read is missing, and what needs it powers off',
      detected: /cc: FAILED: |verity.*(corrupt|panic)|Kernel panic/,
      powerless: true,
      impossible: without('cc-root', 'any'),
      ...unreadable(),
    },
  ]),
  ...failing(),
]

function unreadable(): Pick<Tampering, 'prepare' | 'finish'> {
  let served: ServedDisk | undefined
  return {
    prepare: async (machine, bench) => {
      const {start, content} = partitionOf(bench, 'cc-root')
      const [from, to] = [start + (content?.bytes ?? 0) / 2, start + (content?.bytes ?? 0)]
      served = await serve(machine, ({offset, length}) => (offset < to && offset + length > from ? 'error' : null))
    },
    finish: async () => served?.close(),
  }
}
