/**
 * What is concluded, apart from how it is found out.
 *
 * A check has two halves. One gets evidence: it reads files, boots machines, sends packets. The other one is a judge:
 * `judge(seen, expected) → Verdict`, pure, in this folder. Only a judge may say that a check passed or failed.
 *
 * - Evidence that is missing, cut or malformed is a failure: never a pass, and never a skip.
 * - `x.ts` has the judges, `x.cases.ts` has for each of them evidence that is good, bad and missing. `judges.test.ts`
 *   feeds all of it, and also good evidence with each of its parts taken away in turn; it fails for a judge without
 *   cases, for a judge that reads or runs something, and for a check that concludes something outside of this folder.
 * - A skip is decided before any evidence is asked for, by what the image is: `skipped(reason)`.
 */

import {failed, type Verdict} from 'cc-core/report'

/** Evidence as it may arrive: any part of it may be missing. */
export type Incomplete<T> = {readonly [K in keyof T]?: T[K] | undefined}

/**
 * A judge that fails where part of its evidence is missing, before it looks at the rest. What is wrong with the form of
 * evidence is the judge's own to find.
 * @param parts every part of the evidence that has to be there
 */
export const judging =
  <Seen extends object>(...parts: readonly (keyof Seen & string)[]) =>
  <Expected = void>(judge: (seen: Seen, expected: Expected) => Verdict) =>
  (seen: Incomplete<Seen>, expected: Expected): Verdict => {
    const missing = parts.filter((part) => seen[part] === undefined)
    return missing.length > 0 ? failed(`there is no evidence of ${missing.join(', ')}`) : judge(seen as Seen, expected)
  }
