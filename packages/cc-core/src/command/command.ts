import {join, resolve} from 'node:path'

import {Command, Errors, Flags, type Interfaces} from '@oclif/core'

import {encodeConfig, loadConfig, printConfig, type Config} from '../config/index.js'
import {CcError, toCcError} from '../errors/index.js'
import {checkLayout} from '../layout/index.js'
import {buildImage, showPlan, type ImageBuild} from '../stage/index.js'
import {createReporter, type Reporter} from '../ui/index.js'

const group = 'GLOBAL'
const exitOfSignal = {SIGINT: 130, SIGTERM: 143, SIGHUP: 129} as const
type Signal = keyof typeof exitOfSignal

type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof CcCommand)['baseFlags'] & T['flags']>
type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>

/** What a service needs from the command line besides its own options. Paths are absolute. */
export interface CommandContext {
  /** Directory for image directories. */
  output: string
  /** Directory for what is kept between runs: cache, logs, unfinished images. */
  workDir: string
  /** Show the commands instead of running them. */
  dryRun: boolean
  reporter: Reporter
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  signal: AbortSignal
}

/** The base of all commands: global flags, configuration, progress, signals, and one shape for every error. */
export abstract class CcCommand<T extends typeof Command> extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    config: Flags.string({
      summary: 'Configuration file; without it the documented defaults.',
      helpGroup: group,
      helpValue: 'FILE',
    }),
    set: Flags.string({
      summary: 'Change one key of the configuration; may be repeated.',
      helpGroup: group,
      helpValue: 'KEY.KEY=VALUE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    output: Flags.string({
      summary: 'Directory for the image directory.',
      helpGroup: group,
      helpValue: 'DIR',
      default: './build',
    }),
    'work-dir': Flags.string({
      summary: 'Directory for cache, logs and unfinished images; OUTPUT/.work by default.',
      helpGroup: group,
      helpValue: 'DIR',
    }),
    'dry-run': Flags.boolean({
      summary: 'Print each step as a command to run by hand, and run none.',
      helpGroup: group,
    }),
    'print-config': Flags.boolean({
      summary: 'Print the configuration that is in force, and do nothing else.',
      helpGroup: group,
    }),
    verbose: Flags.boolean({summary: 'Show the output of each step.', helpGroup: group}),
  }

  protected flags!: FlagsOf<T>
  protected args!: ArgsOf<T>
  protected context!: CommandContext

  #reporter: Reporter | undefined
  readonly #abort = new AbortController()
  #caught: Signal | undefined
  readonly #onSignal = (signal: Signal) => {
    // The second time at once: what still runs dies with us.
    if (this.#caught !== undefined) process.exit(exitOfSignal[signal])
    this.#caught = signal
    this.#abort.abort()
  }

  override async init(): Promise<void> {
    await super.init()
    const {args, flags} = await this.parse({
      flags: this.ctor.flags,
      baseFlags: CcCommand.baseFlags,
      enableJsonFlag: this.ctor.enableJsonFlag,
      args: this.ctor.args,
      strict: this.ctor.strict,
    })
    this.flags = flags as FlagsOf<T>
    this.args = args as ArgsOf<T>
    const output = resolve(flags.output)
    this.#reporter = createReporter({json: this.jsonEnabled(), verbose: flags.verbose})
    this.context = {
      output,
      workDir: resolve(flags['work-dir'] ?? join(output, '.work')),
      dryRun: flags['dry-run'],
      reporter: this.#reporter,
      signal: this.#abort.signal,
    }
    for (const signal of Object.keys(exitOfSignal)) process.on(signal, this.#onSignal)
  }

  /**
   * The configuration of --config and --set, checked.
   * @param overrides values of the command's own flags by their key; undefined ones are left out
   */
  protected loadConfig(overrides: Readonly<Record<string, string | undefined>> = {}): Config {
    const own = Object.entries(overrides).flatMap(
      ([key, value]) => (value === undefined ? [] : [`${key}=${JSON.stringify(value)}`]), // JSON is YAML.
    )
    const config = loadConfig(this.flags.config ?? null, [...(this.flags.set ?? []), ...own])
    checkLayout(config)
    return config
  }

  /** Shows the configuration; the return value is what --json prints. */
  protected showConfig(config: Config): object {
    this.log(printConfig(config).trimEnd())
    return encodeConfig(config)
  }

  /** Runs a planned build, or shows it with --dry-run; the return value is what --json prints. */
  protected async build(build: ImageBuild): Promise<object> {
    if (this.context.dryRun) {
      const commands = await showPlan(build)
      for (const command of commands) this.log(command)
      return {commands}
    }
    const {image, cached, ms} = await buildImage(build, this.context)
    this.log(image.path)
    return {image: image.path, name: image.manifest.name, buildKey: image.manifest.buildKey, cached, ms}
  }

  override async catch(thrown: Error): Promise<void> {
    if (thrown instanceof Errors.ExitError) throw thrown
    const error = this.#toError(thrown)
    process.exitCode = error.exitCode
    if (!this.jsonEnabled()) {
      await this.#reporter?.close()
      this.logToStderr(formatError(error, this.argv.includes('--verbose')))
      // It has been shown; oclif is to exit with its status and nothing else.
      Object.defineProperty(error, 'skipOclifErrorHandling', {value: true, enumerable: false})
    }
    await super.catch(error)
  }

  override async finally(error: Error | undefined): Promise<void> {
    for (const signal of Object.keys(exitOfSignal)) process.off(signal, this.#onSignal)
    await this.#reporter?.close()
    await super.finally(error)
  }

  protected override toErrorJson(thrown: unknown): object {
    const {code, message, exitCode, suggestions} = toCcError(thrown)
    return {error: {code, message, exitCode, suggestions}}
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

/** An error as a step prints it: the code, the message, and what to do next. */
function formatError(error: CcError, verbose: boolean): string {
  const lines = [`error[${error.code}]: ${error.message}`, ...error.suggestions.map((hint) => `  try: ${hint}`)]
  if (verbose && error.code === 'E_BUG' && error.reason instanceof Error) lines.push(error.reason.stack ?? '')
  return lines.join('\n')
}
