import type {ProgressEvent, Reporter} from './reporter.js'

/** Shows nothing: with --json, stdout and stderr belong to the result. */
export class SilentReporter implements Reporter {
  report(): void {
    // By its purpose.
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Remembers what was reported, for tests. */
export class RecordingReporter implements Reporter {
  readonly events: ProgressEvent[] = []
  closed = false

  report(event: ProgressEvent): void {
    this.events.push(event)
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }

  /** The steps that reported an event of a type, in order. */
  steps(type: 'step-start' | 'step-done' | 'step-cached' | 'step-failed'): string[] {
    return this.events.flatMap((event) => (event.type === type ? [event.step] : []))
  }
}
