import {CcError, type ErrorCode} from '../errors/index.js'

export type SubprocessFailure = 'spawn-failed' | 'exited' | 'killed' | 'timed-out'

export interface SubprocessDetails {
  kind: SubprocessFailure
  argv: readonly string[]
  /** One sentence about how it ended. */
  message: string
  exitCode?: number | undefined
  /** The signal that ended it, or that we sent. */
  signalName?: string | undefined
  stdout?: string
  stderr?: string
  /** Up to 20 lines, stdout and stderr in the order of their arrival. */
  lastLines?: readonly string[]
  logFile?: string | undefined
  suggestions?: readonly string[]
  reason?: unknown
}

const codeOf: Record<SubprocessFailure, ErrorCode> = {
  'spawn-failed': 'E_HOST_TOOL',
  exited: 'E_STEP_FAILED',
  killed: 'E_STEP_FAILED',
  'timed-out': 'E_STEP_FAILED',
}

/** A program that did not do what it was started for. */
export class SubprocessError extends CcError {
  readonly kind: SubprocessFailure
  /** What was started and what it said; not enumerable, because oclif's --json spreads an error's own fields. */
  declare readonly details: SubprocessDetails

  /** @param aborted whether we killed it because our caller's AbortSignal said so */
  constructor(details: SubprocessDetails, aborted = false) {
    const last = details.lastLines ?? []
    const suggestions = [...(details.suggestions ?? [])]
    if (details.logFile !== undefined) suggestions.push(`read the log ${details.logFile}`)
    super(
      aborted ? 'E_INTERRUPTED' : codeOf[details.kind],
      [details.message, ...last.map((line) => `  ${line}`)].join('\n'),
      {
        suggestions,
        reason: details.reason,
      },
    )
    this.name = 'SubprocessError'
    this.kind = details.kind
    Object.defineProperty(this, 'details', {value: details, enumerable: false})
  }

  /** The end of what it wrote to stderr. */
  get stderr(): string {
    return this.details.stderr ?? ''
  }
}
