/** One step of a stage, as people see it. */
export interface StepInfo {
  /** Unique in its stage, for example `base/20-packages`. */
  id: string
  title: string
}

/** What the library tells about its progress. Times are milliseconds. */
export type ProgressEvent =
  /** independent: a step that fails does not end the stage. */
  | {type: 'stage-start'; stage: string; title: string; steps: readonly StepInfo[]; independent?: boolean}
  | {type: 'stage-done'; stage: string; ms: number}
  | {type: 'step-start'; step: string}
  | {type: 'step-line'; step: string; line: string}
  | {type: 'step-done'; step: string; ms: number}
  | {type: 'step-cached'; step: string}
  | {type: 'step-skipped'; step: string; reason: string}
  | {type: 'step-failed'; step: string; ms: number; error: Error}
  /** Something worth knowing that belongs to no step. */
  | {type: 'note'; text: string}
  /** As a note, but about something that may be wrong. */
  | {type: 'warning'; text: string}

/** Where progress goes. The library never prints: it reports here. */
export interface Reporter {
  report(event: ProgressEvent): void
  /** Everything reported is shown when this resolves. To be called once, also after a failure. */
  close(): Promise<void>
}

/**
 * Runs one step and reports its start, end and failure.
 * @param work gets the function that reports a line of output
 */
export async function reportStep<T>(
  reporter: Reporter,
  step: string,
  work: (onLine: (line: string) => void) => Promise<T>,
): Promise<T> {
  const started = Date.now()
  reporter.report({type: 'step-start', step})
  try {
    const result = await work((line) => {
      reporter.report({type: 'step-line', step, line})
    })
    reporter.report({type: 'step-done', step, ms: Date.now() - started})
    return result
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    reporter.report({type: 'step-failed', step, ms: Date.now() - started, error})
    throw thrown
  }
}
