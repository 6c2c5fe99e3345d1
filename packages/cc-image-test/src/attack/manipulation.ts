import {skipped, type CheckTask, type Verdict} from 'cc-core/report'

import type {Bench} from './bench.js'

/** What belongs together, in the order of the report. */
export const groups = {
  disk: 'Bytes of the disk',
  table: 'Partition table and disks',
  header: 'LUKS headers',
  initrd: 'Initrd and boot.conf',
  cmdline: 'Kernel command line',
  devices: 'Further disks and devices',
  console: 'Console and keyboard',
  network: 'Network',
  inside: 'Inside the machine',
  job: 'Code of a job, in the sandbox of FLARE',
  secret: 'A secret of the machine',
} as const

/** One thing that the owner of the host can do to an image or to its machine. */
export interface Manipulation {
  /** Stable: scripts and people refer to it. */
  id: string
  /** What must come of it. */
  title: string
  group: keyof typeof groups
  /** What the owner of the host does. */
  action: string
  /** In the selection of --quick. */
  quick?: boolean
  /** Lower begins earlier. What takes long begins first; what waits for another comes last. */
  rank?: number
  run: (bench: Bench, onLine: (line: string) => void) => Promise<Verdict>
}

/** Manipulations as checks: the same report, JSON and JUnit as of any other. */
export function manipulationChecks(manipulations: readonly Manipulation[], bench: Bench): CheckTask[] {
  return manipulations.map(({id, title, group, action, rank = 0, run}) => ({
    ...{id, title, action, rank, group: groups[group]},
    run: async (onLine) => (bench.impossible === null ? run(bench, onLine) : skipped(bench.impossible)),
  }))
}
