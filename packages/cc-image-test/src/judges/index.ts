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
export * from './boot.js'
export * from './canary.js'
export * from './console.js'
export * from './inside.js'
export * from './measured.js'
export * from './network.js'
