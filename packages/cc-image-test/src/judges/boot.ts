import type {Verdict} from 'cc-core/report'
import type {BootResult} from 'cc-core/vm'

import {channelOffers, describeExit, shellLines} from './console-text.js'
import {problemsOfUse, usesOf, type DiskUse} from './disk-use.js'
import {differenceOf, stateOf, stateProblem, type GuestState} from './guest-state.js'
import {broken, defended, defendedUnless, judgingAttack} from './outcome.js'

/** What must come of a boot. */
export interface Expectation {
  /** The machine powers off, and one of its last lines is like this. */
  detected?: RegExp
  /** The machine comes up in the state of the untouched one; or in another that is as good, null if it is. */
  powerless?: true | ((state: GuestState, baseline: GuestState) => string | null)
  /** Disks that it has to leave alone where it comes up; by what it says of itself, as one that it may mount is used. */
  untouched?: readonly string[] | ((state: GuestState) => readonly string[])
  /** Consoles besides the first that have to have been there. */
  channels?: readonly string[]
  /** Whether the machine also has to say that it is locked down. */
  hardened?: boolean
  /** Why that is so, for the report. */
  because: string
}

export interface TamperedBoot {
  boot: BootResult
  /** What the untouched machine says; not needed where the machine ends for its own reason. */
  baseline?: GuestState | undefined
  /** What was said at consoles besides the first, by their name. */
  channels: Readonly<Record<string, string>>
  /** What it had done to its disks some time after it was up; not needed where none has to be left alone. */
  disks?: readonly DiskUse[] | undefined
}

/** A boot that was tampered with. A shell is never right. */
export const judgeTampered = judgingAttack<TamperedBoot>(
  'boot',
  'channels',
)((seen, expected: Expectation) => {
  const {boot, channels} = seen
  const silent = (expected.channels ?? []).filter((name) => channels[name] === undefined)
  if (silent.length > 0) return broken(`there is no evidence of ${silent.join(', ')}`)
  const offers = [...shellLines(boot.lines), ...channelOffers(channels)]
  if (offers.length > 0) return broken(`a shell or a login is offered: ${offers.join(', ')}`)
  if (boot.lines.some((line) => line.includes('CC-OWNED'))) return broken('a program of the host runs in the machine')
  if (boot.matched !== null) return running(seen, expected)
  if (boot.exit !== 'powered-off' && boot.exit !== 'panicked') return broken(describeExit(boot))
  if (expected.detected === undefined) return broken(`it is not powerless: ${describeExit(boot)}`)
  const line = lastWords(boot.lines).findLast((text) => expected.detected?.test(text))
  if (line === undefined) return broken(`it ends, but for another reason: ${describeExit(boot)}`)
  return defended('detected', `${expected.because}: '${tidy(line)}'`)
})

function running({boot, baseline, disks}: TamperedBoot, expected: Expectation): Verdict {
  const {powerless, untouched = [], because, hardened = false} = expected
  if (powerless === undefined) return broken('it comes up as if nothing had been done')
  const state = stateOf(boot.lines)
  if (baseline === undefined) return broken('there is no evidence of the untouched machine')
  const nothing = stateProblem(state, hardened) ?? stateProblem(baseline, hardened)
  if (nothing !== null) return broken(`what the machine says of itself cannot be compared: ${nothing}`)
  const difference = powerless === true ? differenceOf(state, baseline) : powerless(state, baseline)
  if (difference !== null) return broken(`it comes up in another state: ${difference}`)
  const alone = typeof untouched === 'function' ? untouched(state) : untouched
  return defendedUnless(problemsOfUse(alone, disks), 'powerless', [because, ...usesOf(alone, disks)].join('; '))
}

const few = 10

/**
 * The lines in which a machine says why it ends: its last ones, and those up to where it says so. The kernel tells for
 * long where it panicked, and units of systemd how they end.
 */
function lastWords(lines: readonly string[]): string[] {
  const end = lines.findLastIndex((line) => /cc: FAILED: |(?<!end )Kernel panic - not syncing/.test(line))
  return lines.filter((_, index) => index >= lines.length - few || (index > end - few && index <= end))
}

/** A line of the console without the time stamp of the kernel. */
const tidy = (line: string) =>
  line
    .trim()
    .replace(/^\[\s*[\d.]+\] /, '')
    .slice(0, 200)
