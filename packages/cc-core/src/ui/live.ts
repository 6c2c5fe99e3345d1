import {DefaultRenderer, Listr, ListrLogger, ProcessOutput, type ListrTask, type ListrTaskWrapper} from 'listr2'

import {formatMs, plainText} from './text.js'
import type {ProgressEvent, Reporter, StepInfo} from './reporter.js'

type Wrapper = ListrTaskWrapper<unknown, never, never>

/** Listr looks whether stdout is a terminal; ours draws on another stream, and whoever made it has looked. */
class StreamRenderer extends DefaultRenderer {
  static override nonTTY = true
}

/** Listr pulls its tasks; we are told of steps. Each step is a promise that its events settle. */
class LiveStep {
  readonly ended: Promise<void>
  settle!: () => void
  fail!: (error: Error) => void
  wrapper: Wrapper | undefined
  started: number | undefined
  /** Why it is not run, as its title shows it. */
  skipped: string | undefined

  constructor(readonly info: StepInfo) {
    this.ended = new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
    })
    this.ended.catch(() => undefined) // Listr handles it, if it comes to this step at all.
  }

  task(): ListrTask {
    return {
      title: this.info.title,
      task: async (_, wrapper) => {
        this.wrapper = wrapper as Wrapper
        await this.ended
        if (this.skipped !== undefined) wrapper.skip(`${this.info.title} (${this.skipped})`)
      },
    }
  }

  skip(reason: string): void {
    this.started = undefined
    this.skipped = reason
    this.settle()
  }

  /** Shows the time since the start, or the whole time. */
  showTime(ms = Date.now() - (this.started ?? Date.now())): void {
    if (this.wrapper !== undefined && this.skipped === undefined)
      this.wrapper.title = `${this.info.title}  ${formatMs(ms)}`
  }
}

/** A line for each step with its state, the elapsed time and the last line of its output, redrawn in place. */
export class LiveReporter implements Reporter {
  #steps = new Map<string, LiveStep>()
  #shown: Promise<unknown> = Promise.resolve()
  readonly #clock: NodeJS.Timeout
  readonly #output: ProcessOutput

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.#output = new ProcessOutput(stream, stream)
    this.#clock = setInterval(() => {
      for (const step of this.#steps.values()) if (step.started !== undefined) step.showTime()
    }, 500)
    this.#clock.unref()
  }

  report(event: ProgressEvent): void {
    switch (event.type) {
      case 'stage-start':
        this.#startStage(event.title, event.steps, event.independent === true)
        break
      case 'stage-done':
        this.#say(`done in ${formatMs(event.ms)}`)
        break
      case 'note':
        this.#say(plainText(event.text))
        break
      case 'warning':
        this.#say(`warning: ${plainText(event.text)}`)
        break
      default:
        this.#stepEvent(event)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#clock)
    for (const step of this.#steps.values()) step.fail(new Error('stopped'))
    await this.#shown
  }

  #stepEvent(event: Extract<ProgressEvent, {step: string}>): void {
    const step = this.#steps.get(event.step)
    if (step === undefined) return
    switch (event.type) {
      case 'step-start':
        step.started = Date.now()
        break
      case 'step-line':
        if (step.wrapper !== undefined) step.wrapper.output = plainText(event.line)
        break
      case 'step-cached':
        step.skip('cached')
        break
      case 'step-skipped':
        step.skip(`skipped: ${plainText(event.reason)}`)
        break
      case 'step-done':
        step.started = undefined
        step.showTime(event.ms)
        step.settle()
        break
      case 'step-failed':
        step.started = undefined
        step.showTime(event.ms)
        // The command shows the error itself; here the step is only marked.
        step.fail(new Error('failed'))
        break
    }
  }

  #startStage(title: string, infos: readonly StepInfo[], independent: boolean): void {
    this.#say(title)
    this.#steps = new Map(infos.map((info) => [info.id, new LiveStep(info)]))
    const tasks = new Listr(
      [...this.#steps.values()].map((step) => step.task()),
      {
        renderer: StreamRenderer,
        exitOnError: !independent,
        registerSignalListeners: false,
        rendererOptions: {
          logger: new ListrLogger({useIcons: true, toStderr: [], processOutput: this.#output}),
          formatOutput: 'truncate',
          showErrorMessage: false,
          collapseErrors: false,
        },
      },
    )
    // The picture of the stage before is finished first.
    this.#shown = this.#shown.then(() => tasks.run()).catch(() => undefined)
  }

  #say(text: string): void {
    this.#shown = this.#shown.then(() => this.stream.write(`${text}\n`))
  }
}
