import type {BootResult} from 'cc-core/vm'

import {channelOffers, describeExit, shellLines} from './console-text.js'
import {problemsOfUse, usesOf, type DiskUse} from './disk-use.js'
import {differenceOf, stateOf, stateProblem, type GuestState} from './guest-state.js'
import {onWire, type Attempt, type Outbound} from './network.js'
import {broken, defended, defendedUnless, judgingAttack} from './outcome.js'

/** What QEMU says of a machine some time after it was attacked. */
export interface Afterwards {
  /** "running", as QMP has it. */
  status: string
  /** Whether it answers on its own cable. */
  hears: boolean
  /** What it did to the disks that were attached to it. */
  disks: readonly DiskUse[]
}

/** A machine that was attacked while it ran. */
export interface LiveBoot {
  boot: BootResult
  baseline: GuestState
  /** What was said at consoles besides the first, by their name. */
  channels: Readonly<Record<string, string>>
  /** What the host did, with the words of QEMU where it refused. */
  done: readonly {what: string; error: string | null}[]
  /** On all cables of the machine. */
  packets: readonly Attempt[]
  /** Undefined where the machine had ended. */
  afterwards: Afterwards | undefined
}

export interface LiveExpectation {
  /** Why it comes to nothing, for the report. */
  because: string
  /** Disks that were attached. */
  disks?: readonly string[]
  /** A line with which the machine may end itself. */
  mayEnd?: RegExp
  outbound: Outbound
  hardened: boolean
}

/** The machine goes on as if nothing had been done, or ends itself for the reason that is expected. */
export const judgeLive = judgingAttack<Omit<LiveBoot, 'afterwards'> & Pick<Partial<LiveBoot>, 'afterwards'>>(
  'boot',
  'baseline',
  'channels',
  'done',
  'packets',
)(({boot, baseline, channels, done, packets, afterwards}, expected: LiveExpectation) => {
  const {because, disks = [], mayEnd, outbound, hardened} = expected
  const offers = [...shellLines(boot.lines), ...channelOffers(channels)]
  if (offers.length > 0) return broken(`a shell or a login is offered: ${offers.join(', ')}`)
  if (boot.lines.some((line) => line.includes('CC-OWNED'))) return broken('a program of the host runs in the machine')
  if (boot.matched === null) return broken(`it was not up before it was attacked: ${describeExit(boot)}`)
  if (done.length === 0) return broken('nothing was done to the machine')
  const refused = done.flatMap(({what, error}) => (error === null ? [] : [`${what}: ${error}`]))
  if (refused.length > 0) return broken(`the attack was not made: ${refused.join('; ')}`)
  const leaks = onWire(packets, outbound)
  if (leaks.length > 0) return broken(`packets that no rule allows: ${leaks.join(', ')}`)
  if (boot.exit !== 'running') {
    const line = mayEnd && linesAfter(boot, boot.matched).findLast((text) => mayEnd.test(text))
    return line === undefined ? broken(describeExit(boot)) : defended('detected', `${because}: '${line.slice(0, 200)}'`)
  }
  const state = stateOf(boot.lines)
  const nothing = stateProblem(state, hardened) ?? stateProblem(baseline, hardened)
  if (nothing !== null) return broken(`what the machine says of itself cannot be compared: ${nothing}`)
  const difference = differenceOf(state, baseline)
  if (difference !== null) return broken(`it came up in another state: ${difference}`)
  if (afterwards === undefined) return broken('there is no evidence of the machine afterwards')
  if (afterwards.status !== 'running') return broken(`the machine is '${afterwards.status}' afterwards`)
  if (!afterwards.hears) return broken('the machine does not answer on its cable afterwards')
  const uses = usesOf(disks, afterwards.disks)
  return defendedUnless(problemsOfUse(disks, afterwards.disks), 'powerless', [because, ...uses].join('; '))
})

/** What was said after a line; of a console that is cut at its beginning, and so has not kept that line, all. */
const linesAfter = ({lines}: BootResult, line: string) => lines.slice(lines.indexOf(line) + 1)
