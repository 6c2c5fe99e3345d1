import {basename, join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import type {BootOptions, BootResult} from 'cc-core/vm'
import {skipped, type Verdict} from 'cc-core/report'

import type {Expectation} from '../../judges/boot.js'
import type {GuestState} from '../../judges/guest-state.js'
import {judgeBoot, type Bench} from '../bench.js'
import type {DiskUse} from '../../judges/disk-use.js'
import type {Machine} from '../machine.js'
import type {Manipulation} from '../manipulation.js'
import {diskUse, openMonitor} from '../monitor.js'

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
  /** Whether it may be tried on one machine with others: it adds something of its own, and is powerless. */
  together?: true
}

/** A manipulation that can be tried on one machine with others. */
export interface TamperingManipulation extends Manipulation {
  tampering?: Tampering
}

/** Entries of the table as manipulations. */
export const tampered = (entries: readonly Tampering[]): TamperingManipulation[] =>
  entries.map((entry) => ({...manipulation(entry), ...(entry.together && {tampering: entry})}))

const manipulation = ({
  prepare,
  impossible,
  diskBytes,
  boot,
  finish,
  detected,
  powerless,
  untouched,
  channels,
  because,
  ...about
}: Tampering): Manipulation => ({
  ...about,
  async run(bench) {
    const reason = impossible?.(bench) ?? null
    if (reason !== null) return skipped(reason)
    const machine = await bench.machine(about.id, diskBytes && {diskBytes: diskBytes(bench)})
    const expected = {
      because,
      ...(detected && {detected}),
      ...(powerless && {powerless}),
      ...(untouched && {untouched}),
      ...(channels && {channels}),
    }
    try {
      await prepare(machine, bench)
      const {result, disks} = untouched
        ? await watchDisks(bench, machine)
        : {result: await bench.boot(machine, boot?.(machine)), disks: undefined}
      return await judgeBoot(bench, result, expected, {folder: machine.folder, disks})
    } finally {
      await finish?.()
    }
  },
})

/** Boot a machine, and ask QEMU what it has done to its disks when it has been up for a while. */
async function watchDisks(
  bench: Bench,
  machine: Machine,
): Promise<{result: BootResult; disks: readonly DiskUse[] | undefined}> {
  // A unix socket has a short path, wherever the work folder is.
  machine.monitor = join('/tmp', `cc-qmp-${process.pid}-${basename(machine.folder)}`)
  const socket = machine.monitor
  let uses: readonly DiskUse[] | undefined
  const result = await bench.boot(machine, {
    lingerMs: 0,
    whileUp: async (signal) => {
      await sleep(bench.settings.lingerMs, undefined, {signal}).catch(() => undefined)
      if (signal.aborted) return
      const monitor = await openMonitor(socket)
      try {
        uses = await diskUse(monitor)
      } finally {
        monitor.close()
      }
    },
  })
  // Drives have the numbers of their disks; what is expected of them names the serial.
  const serials = new Map(machine.disks.map(({serial}, index) => [`disk${index}`, serial]))
  return {result, disks: uses?.map((use) => ({...use, id: serials.get(use.id) ?? use.id}))}
}

/**
 * One boot for all that can be tried together: where it is as it should be, none of them did anything. Where it is not,
 * each has a machine of its own, which shows whose doing it is. Where none of them did it alone, all of them have failed.
 */
export function sharingOneBoot(manipulations: readonly TamperingManipulation[]): Manipulation[] {
  const shared = manipulations.filter(({tampering}) => tampering !== undefined)
  if (shared.length < 2) return [...manipulations]
  const ids = shared.map(({id}) => id)
  let boot: Promise<Verdict> | undefined
  let apart: Promise<Map<string, Verdict>> | undefined
  return manipulations.map((one) => {
    const {tampering} = one
    if (tampering === undefined) return one
    const run: Manipulation['run'] = async (bench, onLine) => {
      const reason = tampering.impossible?.(bench) ?? null
      if (reason !== null) return skipped(reason)
      const together = await (boot ??= bootTogether(bench, shared))
      if (together.status === 'passed')
        return {...together, detail: `${tampering.because} (one machine with ${ids.join(', ')})`}
      const alone = await (apart ??= bootApart(bench, shared, onLine))
      const someone = [...alone.values()].some(({status}) => status === 'failed')
      return (someone ? alone.get(one.id) : undefined) ?? together
    }
    return {...one, run}
  })
}

async function bootApart(
  bench: Bench,
  shared: readonly TamperingManipulation[],
  onLine: (line: string) => void,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>()
  for (const {id, run} of shared) verdicts.set(id, await run(bench, onLine))
  return verdicts
}

async function bootTogether(bench: Bench, shared: readonly TamperingManipulation[]): Promise<Verdict> {
  const parts = shared.flatMap(({tampering}) => (tampering === undefined ? [] : [tampering]))
  const tried = parts.filter(({impossible}) => (impossible?.(bench) ?? null) === null)
  const machine = await bench.machine('together')
  for (const {prepare} of tried) await prepare(machine, bench)
  const {result, disks} = await watchDisks(bench, machine)
  // At most one of them changes what the machine says of itself.
  const powerless = tried.map((one) => one.powerless).find((one) => typeof one === 'function') ?? true
  const because = tried.map(({id}) => id).join(', ')
  const untouched = (state: GuestState) =>
    tried.flatMap((one) => (typeof one.untouched === 'function' ? one.untouched(state) : (one.untouched ?? [])))
  return judgeBoot(bench, result, {powerless, untouched, because}, {folder: machine.folder, disks})
}
