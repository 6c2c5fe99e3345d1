import {join, resolve} from 'node:path'

import {Flags, type Command} from '@oclif/core'

import {encodeConfig, printConfig, type Config} from '../config/index.js'
import {buildImages, showPlan, type BuildPlan} from '../build/index.js'
import type {Reporter} from '../ui/index.js'
import {BaseCommand, globalGroup, type FlagsOf} from './base.js'
import {imageJson, summary, throwFailures} from './built-images.js'
import {configFlags, configOf} from './config-flags.js'
import {withEnvironment} from './environment.js'
import {names} from './path-flags.js'

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

/** The base of the commands that build images: a configuration, a folder to write to, and a plan that is run or shown. */
export abstract class CcCommand<T extends typeof Command> extends BaseCommand<T> {
  static override baseFlags = withEnvironment({
    ...BaseCommand.baseFlags,
    ...configFlags,
    output: names(
      'output',
      Flags.string({
        summary: 'Directory for the image directory.',
        helpGroup: globalGroup,
        helpValue: 'DIR',
        default: './build',
      }),
    ),
    'work-dir': names(
      'output',
      Flags.string({
        summary: 'Directory for cache, logs and unfinished images; OUTPUT/.work by default.',
        helpGroup: globalGroup,
        helpValue: 'DIR',
      }),
    ),
    'dry-run': Flags.boolean({
      summary: 'Print each step as a command to run by hand, and run none.',
      helpGroup: globalGroup,
    }),
  })

  declare protected flags: FlagsOf<typeof CcCommand> & FlagsOf<T>
  protected context!: CommandContext

  override async init(): Promise<void> {
    await super.init()
    const output = resolve(this.flags.output)
    this.context = {
      output,
      workDir: resolve(this.flags['work-dir'] ?? join(output, '.work')),
      dryRun: this.flags['dry-run'],
      reporter: this.reporter,
      signal: this.signal,
    }
  }

  /**
   * The configuration of --config and --set, checked.
   * @param overrides values of the command's own flags by their key; undefined ones are left out
   */
  protected loadConfig(overrides: Readonly<Record<string, unknown>> = {}): Config {
    return configOf(this.flags, overrides)
  }

  /** Shows the configuration; the return value is what --json prints. */
  protected showConfig(config: Config): object {
    this.log(printConfig(config).trimEnd())
    return encodeConfig(config)
  }

  #json: object = {}

  /**
   * Runs a planned build, or shows it with --dry-run; the return value is what --json prints.
   * @throws what stopped it; where only some of its images failed, the error of the first, when all others are made
   */
  protected async build(plan: BuildPlan): Promise<object> {
    for (const note of plan.tree.steps.flatMap(({notes = []}) => notes)) this.logToStderr(`note: ${note}`)
    if (this.context.dryRun) {
      const commands = await showPlan(plan)
      for (const command of commands) this.log(command)
      return {commands}
    }
    const built = await buildImages(plan, this.context)
    const [first] = built
    if (built.length === 1 && first !== undefined) {
      this.log(first.image?.path)
      return imageJson(first)
    }
    this.#json = {images: built.map(imageJson)}
    await this.reporter.close()
    for (const line of summary(built)) this.log(line)
    throwFailures(built)
    return this.#json
  }

  /** What was made is shown also when something failed. */
  protected override toErrorJson(thrown: unknown): object {
    return {...this.#json, ...super.toErrorJson(thrown)}
  }
}
