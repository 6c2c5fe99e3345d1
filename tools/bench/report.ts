import type {Measurement} from './measure.js'

/** One measured thing, and the plainest program that does something comparable. */
export interface Entry {
  name: string
  ours: Measurement
  reference: Measurement
  /** What the reference is; cp of the qcow2 where it is not said. */
  beside?: string
}

export interface Phase {
  title: string
  seconds: number
}

/** The steps of a build and their times, from the lines that a command prints when it is not on a terminal. */
export function phasesOf(output: string): Phase[] {
  return output.split('\n').flatMap((line) => {
    const [, title, minutes = '0', seconds] = /^\[\d+\/\d+\] (.*): done in (?:(\d+) min )?([\d.]+) s$/.exec(line) ?? []
    return title === undefined ? [] : [{title, seconds: Number(minutes) * 60 + Number(seconds)}]
  })
}

/** The one that took least; others ran beside something else. */
export function fastest(measurements: readonly Measurement[]): Measurement {
  const [first, ...rest] = measurements
  if (first === undefined) throw new Error('nothing was measured')
  return rest.reduce((best, other) => (other.seconds < best.seconds ? other : best), first)
}

export function comparison({ours, reference, beside = 'cp of the qcow2'}: Entry): string {
  const factor = (ours.seconds / reference.seconds).toFixed(2)
  return `${factor} times ${beside} (${formatSeconds(reference.seconds).trim()})`
}

export const formatSeconds = (seconds: number) => `${seconds.toFixed(1)} s`.padStart(7)
export const formatMiB = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`.padStart(9)

/** Whether a number keeps its bound. A busy machine may break it; that is for the reader to judge. */
export const within = (value: number, bound: number, unit = ' s') =>
  `${value <= bound ? 'within' : 'MISSES'} the bound of ${bound}${unit}`
