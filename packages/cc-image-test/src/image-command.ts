import {resolve} from 'node:path'

import {Flags, type Command} from '@oclif/core'
import {configFlags, configOf, names, type FlagsOf, withEnvironment} from 'cc-core/command'
import {encodeConfig, printConfig, type Config} from 'cc-core/config'

import {CheckCommand} from './check-command.js'
import {
  expectedConfig,
  showImageTest,
  testImage,
  type ImageSuite,
  type ImageTestOptions,
} from './services/test-image.js'

/** @param name of the image of the stage, in the folder where builds put it */
export const imageFlag = (name: string) =>
  names(
    {kind: 'any'},
    Flags.string({
      summary: 'The image directory, or the qcow2 in it.',
      helpValue: 'DIR|QCOW2',
      default: `./build/${name}`,
    }),
  )

const defaults = {memory: 1024, seconds: 600}

/** The base of the commands that test an image. */
export abstract class ImageCommand<T extends typeof Command> extends CheckCommand<T> {
  static override baseFlags = withEnvironment({
    ...CheckCommand.baseFlags,
    ...configFlags,
    image: imageFlag('confidential_computing_image'),
    'work-dir': names(
      'output',
      Flags.string({
        summary: 'Directory for console logs and scratch files; .work/test beside the image by default.',
        helpValue: 'DIR',
      }),
    ),
    accelerator: Flags.option({
      summary: 'How the machine runs; auto takes KVM where a short boot shows that it works.',
      options: ['auto', 'kvm', 'tcg'] as const,
      default: 'auto',
    })(),
    'boot-timeout': Flags.integer({
      summary: 'Seconds that one boot may take.',
      helpValue: 'SECONDS',
      min: 1,
      default: defaults.seconds,
    }),
    memory: Flags.integer({
      summary: 'Memory of the machine in MiB.',
      helpValue: 'MIB',
      min: 256,
      default: defaults.memory,
    }),
    sbom: Flags.boolean({summary: 'Also open the image, and compare what is in it with its SBOM.'}),
    'dry-run': Flags.boolean({summary: 'List the checks and the command of the boot, and run none.'}),
  })

  declare protected flags: FlagsOf<typeof ImageCommand> & FlagsOf<T>

  /** Runs a suite on the image of --image, or shows it; the return value is what --json prints. */
  protected async test(
    suite: ImageSuite,
    {jobs = 1, results}: Pick<ImageTestOptions, 'jobs' | 'results'> = {},
  ): Promise<object> {
    const {flags} = this
    const image = resolve(flags.image)
    const configured = flags.config !== undefined || flags.set !== undefined
    const config = configured ? configOf(flags) : null
    if (flags['print-config']) return this.#printConfig(await expectedConfig({image, config}))
    const options = {
      ...{image, config},
      workDir: flags['work-dir'] === undefined ? null : resolve(flags['work-dir']),
      accelerator: flags.accelerator === 'auto' ? null : flags.accelerator,
      timeoutMs: flags['boot-timeout'] * 1000,
      memoryMiB: flags.memory,
      lingerMs: 3000,
      sbom: flags.sbom,
      jobs,
      ...(results && {results}),
    }
    if (flags['dry-run']) {
      const lines = await showImageTest(suite, options)
      for (const line of lines) this.log(line)
      return {commands: lines}
    }
    const {report, logDir} = await testImage(suite, options, {reporter: this.reporter, signal: this.signal})
    return this.show(report, [`read the consoles in ${logDir}`])
  }

  /** This command with the settings that its results depend on, for another run of a part of it. */
  protected repeatable(): string[] {
    const {image, config, set = [], accelerator, memory, 'boot-timeout': seconds} = this.flags
    return [
      ...[this.config.bin, this.id ?? '', '--image', resolve(image)],
      ...(config === undefined ? [] : ['--config', resolve(config)]),
      ...set.flatMap((setting) => ['--set', setting]),
      ...(accelerator === 'auto' ? [] : ['--accelerator', accelerator]),
      ...(memory === defaults.memory ? [] : ['--memory', String(memory)]),
      ...(seconds === defaults.seconds ? [] : ['--boot-timeout', String(seconds)]),
    ]
  }

  #printConfig(config: Config): object {
    this.log(printConfig(config).trimEnd())
    return encodeConfig(config)
  }
}
