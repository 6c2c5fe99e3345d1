import {formatMs, plainText} from './text.js'
import type {ProgressEvent, Reporter, StepInfo} from './reporter.js'

export interface PlainOptions {
  /** Also show each line of a step's output. */
  verbose?: boolean
}

/** One line for each thing that happens, for logs and pipes. */
export class PlainReporter implements Reporter {
  #steps: readonly StepInfo[] = []

  constructor(
    private readonly write: (text: string) => void,
    private readonly options: PlainOptions = {},
  ) {}

  report(event: ProgressEvent): void {
    if (event.type === 'stage-start') this.#steps = event.steps
    const line = this.#line(event)
    if (line !== null) this.write(`${line}\n`)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #line(event: ProgressEvent): string | null {
    switch (event.type) {
      case 'stage-start':
        return `== ${event.title}`
      case 'stage-done':
        return `== done in ${formatMs(event.ms)}`
      case 'step-start':
        return `${this.#place(event.step)} …`
      case 'step-line':
        return this.options.verbose ? `    ${plainText(event.line)}` : null
      case 'step-done':
        return `${this.#place(event.step)}: done in ${formatMs(event.ms)}`
      case 'step-cached':
        return `${this.#place(event.step)}: cached`
      case 'step-skipped':
        return `${this.#place(event.step)}: skipped: ${plainText(event.reason)}`
      case 'step-failed':
        return `${this.#place(event.step)}: FAILED after ${formatMs(event.ms)}`
      case 'note':
        return plainText(event.text)
      case 'warning':
        return `warning: ${plainText(event.text)}`
    }
  }

  #place(id: string): string {
    const index = this.#steps.findIndex((step) => step.id === id)
    const title = this.#steps[index]?.title ?? id
    return index < 0 ? title : `[${index + 1}/${this.#steps.length}] ${title}`
  }
}
