import {CcError, toCcError} from '../errors/index.js'
import type {Reporter} from '../ui/index.js'

export type CheckStatus = 'passed' | 'failed' | 'skipped'

/** What came out of one check. */
export interface Check {
  /** Stable: scripts and people refer to it. */
  id: string
  title: string
  status: CheckStatus
  /** What was found; for a skip, why. */
  detail: string
  /** The command that mends it, where there is one. */
  fix?: string
  ms: number
  /** What belongs together in a long report. */
  group?: string
  /** What was done to the subject, where more was done than to look at it. */
  action?: string
  /** How that went, in a word or two. */
  outcome?: string
  /** The command that makes just this check again. */
  repeat?: string
}

/** A check as it ended, before the consequences of other failures are worked out: what a later run can go on from. */
export type CheckResult = Check & Pick<Verdict, 'cause'>

/** What a check says of its subject. */
export interface Verdict {
  status: CheckStatus
  detail: string
  fix?: string
  outcome?: string
  /**
   * The id of the check that answers for evidence that is missing here. Where that one has failed, too, this one is not
   * a second failure.
   */
  cause?: string
}

export const passed = (detail: string): Verdict => ({status: 'passed', detail})
export const failed = (detail: string, fix?: string): Verdict => ({status: 'failed', detail, ...(fix && {fix})})
/** @param reason a skip is never silent */
export const skipped = (reason: string): Verdict => ({status: 'skipped', detail: reason})

/** Passed when there are no problems; else all of them. */
export function verdictOf(problems: readonly string[], detail: string): Verdict {
  return problems.length === 0 ? passed(detail) : failed(problems.join('; '))
}

/** A check that can be run. */
export interface CheckTask {
  id: string
  title: string
  group?: string
  action?: string
  repeat?: string
  /** Lower begins earlier; 0 by default. The order of the report is that of the list. */
  rank?: number
  /** @param onLine takes a line that is shown while the check runs */
  run: (onLine: (line: string) => void) => Verdict | Promise<Verdict>
}

export interface RunChecksOptions {
  title: string
  reporter: Reporter
  signal?: AbortSignal | undefined
  /** How many run at a time; 1 by default. They are returned in their order. */
  jobs?: number
  /** What a run before has found, by id: these are not made again. */
  known?: ReadonlyMap<string, CheckResult>
  /** Told of each check that was made, before the next one begins. */
  onResult?: (result: CheckResult) => void | Promise<void>
}

/**
 * Run checks, each reported as it starts and ends. A check that throws has failed: what could not
 * be looked at is not known to be good.
 * @throws E_INTERRUPTED
 */
export async function runChecks(tasks: readonly CheckTask[], options: RunChecksOptions): Promise<Check[]> {
  const {title, reporter, signal, jobs = 1, known = new Map<string, CheckResult>(), onResult} = options
  const started = Date.now()
  const steps = tasks.map(({id, title: text}) => ({id, title: text}))
  reporter.report({type: 'stage-start', stage: 'checks', title, steps, independent: true})
  const checks: CheckResult[] = []
  const waiting = [...tasks.entries()].sort(([, a], [, b]) => (a.rank ?? 0) - (b.rank ?? 0))
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, task] = next
      const before = known.get(task.id)
      if (before !== undefined) {
        checks[index] = before
        reporter.report({type: 'step-skipped', step: task.id, reason: `${before.status} in the run before`})
        continue
      }
      const result = await runCheck(task, reporter, signal)
      checks[index] = result
      await onResult?.(result)
    }
  }
  await Promise.all(Array.from({length: jobs}, work))
  reporter.report({type: 'stage-done', stage: 'checks', ms: Date.now() - started})
  return withoutConsequences(checks)
}

/** One cause is one failure. A check whose cause was not looked at, or did not fail, stays failed. */
function withoutConsequences(checks: readonly CheckResult[]): Check[] {
  const failures = new Set(checks.flatMap(({id, status}) => (status === 'failed' ? [id] : [])))
  return checks.map(({cause, ...check}) =>
    cause !== undefined && check.status === 'failed' && failures.has(cause)
      ? {...check, status: 'skipped', detail: `${check.detail}: see ${cause}`}
      : check,
  )
}

async function runCheck(task: CheckTask, reporter: Reporter, signal: AbortSignal | undefined): Promise<CheckResult> {
  const {id, title, group, action, repeat} = task
  if (signal?.aborted) throw new CcError('E_INTERRUPTED', 'interrupted')
  const started = Date.now()
  reporter.report({type: 'step-start', step: id})
  const verdict = await judge(task, (line) => {
    reporter.report({type: 'step-line', step: id, line})
  })
  const ms = Date.now() - started
  if (verdict.status === 'passed') reporter.report({type: 'step-done', step: id, ms})
  else if (verdict.status === 'skipped') reporter.report({type: 'step-skipped', step: id, reason: verdict.detail})
  else reporter.report({type: 'step-failed', step: id, ms, error: new Error(verdict.detail)})
  return {
    ...{id, title, ...verdict, ms},
    ...(group !== undefined && {group}),
    ...(action !== undefined && {action}),
    ...(repeat !== undefined && {repeat}),
  }
}

async function judge({run}: CheckTask, onLine: (line: string) => void): Promise<Verdict> {
  try {
    return await run(onLine)
  } catch (thrown) {
    const error = toCcError(thrown)
    if (error.code === 'E_INTERRUPTED') throw error
    return failed(`${error.code}: ${error.message}`, error.suggestions[0])
  }
}

/** How many checks came out how. */
export function countChecks(checks: readonly Check[]): Record<CheckStatus, number> {
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length
  return {passed: count('passed'), failed: count('failed'), skipped: count('skipped')}
}

/** @throws E_CHECK naming the checks that failed, if there are any */
export function assertChecks(checks: readonly Check[], suggestions: readonly string[] = []): void {
  const bad = checks.filter(({status}) => status === 'failed').map(({id}) => id)
  if (bad.length === 0) return
  throw new CcError('E_CHECK', `${bad.length} of ${checks.length} checks failed: ${bad.join(', ')}`, {suggestions})
}
