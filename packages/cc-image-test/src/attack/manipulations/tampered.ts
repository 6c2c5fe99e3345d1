import type {BootOptions} from 'cc-core/vm'
import {skipped} from 'cc-core/report'

import type {Expectation} from '../../judges/boot.js'
import {judgeBoot, type Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import type {Manipulation} from '../manipulation.js'

/** A manipulation that is one boot of one machine. */
export interface Tampering extends Omit<Manipulation, 'run'>, Omit<Expectation, 'hardened'> {
  /** What is done to the machine before it starts. */
  prepare: (machine: Machine, bench: Bench) => Promise<void> | void
  /** Why it cannot be tried, or null. */
  impossible?: (bench: Bench) => string | null
  /** Of the machine's disk, where it is not the image's. */
  diskBytes?: (bench: Bench) => number
  boot?: (machine: Machine) => Partial<BootOptions>
  /** Ends what `prepare` has begun, when the machine is off. */
  finish?: () => Promise<void>
}

/** Entries of the table as manipulations. */
export const tampered = (entries: readonly Tampering[]): Manipulation[] =>
  entries.map(({prepare, impossible, diskBytes, boot, finish, detected, powerless, channels, because, ...about}) => ({
    ...about,
    async run(bench) {
      const reason = impossible?.(bench) ?? null
      if (reason !== null) return skipped(reason)
      // What ends for its own reason needs no other boot to be compared with.
      if (powerless !== undefined) await bench.baseline()
      const machine = await bench.machine(about.id, diskBytes && {diskBytes: diskBytes(bench)})
      const expected = {
        because,
        ...(detected && {detected}),
        ...(powerless && {powerless}),
        ...(channels && {channels}),
      }
      try {
        await prepare(machine, bench)
        const result = await bench.boot(machine, boot?.(machine))
        return await judgeBoot(bench, result, expected, machine.folder)
      } finally {
        await finish?.()
      }
    },
  }))
