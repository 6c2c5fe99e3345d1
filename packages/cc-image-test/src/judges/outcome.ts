import {failed, passed, type Verdict} from 'cc-core/report'

import type {Incomplete} from './evidence.js'

/** How a manipulation came to nothing. */
export type Outcome =
  /** A look at the files finds it, before anything boots. */
  | 'refused offline'
  /** The machine powers itself off, with a line that says why. */
  | 'detected'
  /** The machine runs as if nothing had been done. */
  | 'powerless'
  /** It takes effect; the launch measurement is another one, so attestation fails and no key is released. */
  | 'measured'

/** It came to nothing, for a reason. */
export const defended = (outcome: Outcome, reason: string): Verdict => ({...passed(reason), outcome})
/** It did what the owner of the host wanted, or nobody can tell. */
export const broken = (reason: string): Verdict => ({...failed(reason), outcome: 'NOT DEFENDED'})

/** Defended where there are no problems; else all of them. */
export const defendedUnless = (problems: readonly string[], outcome: Outcome, reason: string): Verdict =>
  problems.length === 0 ? defended(outcome, reason) : broken(problems.join('; '))

/** As `judging`, for what an attacker tried. */
export const judgingAttack =
  <Seen extends object>(...parts: readonly (keyof Seen & string)[]) =>
  <Expected = void>(judge: (seen: Seen, expected: Expected) => Verdict) =>
  (seen: Incomplete<Seen>, expected: Expected): Verdict => {
    const missing = parts.filter((part) => seen[part] === undefined)
    return missing.length > 0 ? broken(`there is no evidence of ${missing.join(', ')}`) : judge(seen as Seen, expected)
  }
