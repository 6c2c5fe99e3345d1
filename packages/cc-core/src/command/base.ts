import {Command, Errors, Flags, type Interfaces} from '@oclif/core'

import {CcError, toCcError} from '../errors/index.js'
import {createReporter, type Reporter} from '../ui/index.js'
import {withEnvironment} from './environment.js'
import {checkNamedPaths} from './path-flags.js'

/** Heading of the flags that all commands have. */
export const globalGroup = 'GLOBAL'

const exitOfSignal = {SIGINT: 130, SIGTERM: 143, SIGHUP: 129} as const
type Signal = keyof typeof exitOfSignal

/** The flags of a command class, with those of the classes it is made from. */
export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<T['baseFlags'] & T['flags']>
type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>

/** What every command has: parsed flags, progress, signals, --json, and one shape for every error. */
export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override enableJsonFlag = true

  static override baseFlags = withEnvironment({
    verbose: Flags.boolean({summary: 'Show the output of each step.', helpGroup: globalGroup}),
  })

  protected flags!: FlagsOf<T>
  protected args!: ArgsOf<T>
  protected reporter!: Reporter

  readonly #abort = new AbortController()
  #caught: Signal | undefined
  readonly #onSignal = (signal: Signal) => {
    // The second time at once: what still runs dies with us.
    if (this.#caught !== undefined) process.exit(exitOfSignal[signal])
    this.#caught = signal
    this.#abort.abort()
  }

  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  protected get signal(): AbortSignal {
    return this.#abort.signal
  }

  override async init(): Promise<void> {
    await super.init()
    const {args, flags} = await this.parse({
      flags: this.ctor.flags,
      baseFlags: this.ctor.baseFlags,
      enableJsonFlag: this.ctor.enableJsonFlag,
      args: this.ctor.args,
      strict: this.ctor.strict,
    })
    refuseOtherEncodings({...args, ...flags})
    checkNamedPaths(this.#named(args, flags))
    this.flags = flags as FlagsOf<T>
    this.args = args as ArgsOf<T>
    this.reporter = createReporter({json: this.jsonEnabled(), verbose: flags['verbose'] === true})
    for (const signal of Object.keys(exitOfSignal)) process.on(signal, this.#onSignal)
  }

  override async catch(thrown: Error): Promise<void> {
    if (thrown instanceof Errors.ExitError) throw thrown
    const error = this.#toError(thrown)
    process.exitCode = error.exitCode
    if (!this.jsonEnabled()) {
      await this.#closeReporter()
      this.logToStderr(formatError(error, this.argv.includes('--verbose')))
      // It has been shown; oclif is to exit with its status and nothing else.
      Object.defineProperty(error, 'skipOclifErrorHandling', {value: true, enumerable: false})
    }
    await super.catch(error)
  }

  override async finally(error: Error | undefined): Promise<void> {
    for (const signal of Object.keys(exitOfSignal)) process.off(signal, this.#onSignal)
    await this.#closeReporter()
    await super.finally(error)
  }

  protected override toErrorJson(thrown: unknown): object {
    const {code, message, exitCode, suggestions} = toCcError(thrown)
    return {error: {code, message, exitCode, suggestions}}
  }

  /** Arguments and flags with their values, by what the user knows them as. */
  #named(args: Readonly<Record<string, unknown>>, flags: Readonly<Record<string, unknown>>) {
    const {args: ownArgs, flags: ownFlags, baseFlags} = this.ctor
    return [
      ...Object.entries(ownArgs).map(([name, flag]) => ({label: flag.name, flag, value: args[name]})),
      ...Object.entries({...baseFlags, ...ownFlags}).map(([name, flag]) => ({
        label: `--${name}`,
        flag,
        value: flags[name],
      })),
    ]
  }

  /** There is none yet when the flags are wrong. */
  async #closeReporter(): Promise<void> {
    await (this.reporter as Reporter | undefined)?.close()
  }

  #toError(thrown: Error): CcError {
    if (this.#caught !== undefined) {
      const stopped = new CcError('E_INTERRUPTED', `interrupted by ${this.#caught}`, {
        suggestions: ['run the same command again: it goes on from there'],
        reason: thrown,
      })
      return stopped.withExit(exitOfSignal[this.#caught])
    }
    if (thrown instanceof Errors.CLIError) {
      const message = thrown.message.replace(/\nSee more help with --help$/, '')
      return new CcError('E_USAGE', message, {suggestions: [`${this.config.bin} --help`], reason: thrown})
    }
    return toCcError(thrown)
  }
}

/**
 * Node.js reads the command line as UTF-8. Bytes that are none become U+FFFD, and a file of another name would be looked
 * for, or made.
 * @throws E_USAGE
 */
function refuseOtherEncodings(words: Readonly<Record<string, unknown>>): void {
  const suggestions = ['rename the file or folder: mv, or convmv for many']
  for (const [name, value] of Object.entries(words))
    for (const text of [value].flat())
      if (typeof text === 'string' && text.includes('\ufffd'))
        throw new CcError('E_USAGE', `${name}: '${text}' is not UTF-8`, {suggestions})
  const folder = process.cwd()
  if (folder.includes('\ufffd'))
    throw new CcError('E_USAGE', `the name of the current folder is not UTF-8: '${folder}'`, {suggestions})
}

/** An error as a step prints it: the code, the message, and what to do next. */
function formatError(error: CcError, verbose: boolean): string {
  const lines = [`error[${error.code}]: ${error.message}`, ...error.suggestions.map((hint) => `  try: ${hint}`)]
  if (verbose && error.code === 'E_BUG' && error.reason instanceof Error) lines.push(error.reason.stack ?? '')
  return lines.join('\n')
}
