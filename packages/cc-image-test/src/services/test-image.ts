import {existsSync, mkdtempSync, statSync} from 'node:fs'
import {readdir} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {parseConfig, type Config} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {formatCommand} from 'cc-core/exec'
import {mkdirp, remove} from 'cc-core/fs'
import {readImageDirectory, type ImageDirectory} from 'cc-core/manifest'
import {runChecks, type Check, type CheckTask, type Report} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'
import type {Reporter} from 'cc-core/ui'

import {showBoot, startBoots, whyNoBoot, type BootSettings, type Boots} from '../image/boots.js'
import {imageFacts, pictureOf} from '../image/facts.js'
import {underTest, type ImageUnderTest} from '../image/under-test.js'
import {sbomChecks} from '../checks/sbom.js'
import {judgeReadable} from '../judges/manifest.js'
import {identityOf, openResults, type Results} from './results.js'

/** One kind of image, as its checks. */
export interface ImageSuite {
  /** For example "cc-image-test base". */
  title: string
  checks: (subject: ImageUnderTest, boots: Boots, settings: BootSettings) => CheckTask[]
  /** Nothing boots before a check asks for it. */
  lazy?: boolean
}

/** What is compared: an image with a configuration. */
interface Compared {
  /** The image directory, or the qcow2 in it. */
  image: string
  /** null = what its manifest says. */
  config: Config | null
}

export interface ImageTestOptions extends Compared, Omit<BootSettings, 'logDir'> {
  /** Absolute path: console logs are kept there, all else only while the test runs. null = .work/test beside the image. */
  workDir: string | null
  /** How many checks run at a time; 1 by default. */
  jobs?: number
  /** Whether the image is opened, and compared with its SBOM. */
  sbom?: boolean
  /** keep: each result is kept in the work folder, so that another run can resume this one. By default none is. */
  results?: 'keep' | 'resume'
}

/**
 * Test an image.
 * @returns the report, and the folder of the console logs
 * @throws E_IMAGE where there is none, E_INTERRUPTED
 */
export async function testImage(
  suite: ImageSuite,
  options: ImageTestOptions,
  {reporter, signal}: {reporter: Reporter; signal: AbortSignal},
): Promise<{report: Report; logDir: string}> {
  const started = new Date()
  const workDir = options.workDir ?? join(folderOf(options.image), '../.work/test')
  const logDir = join(workDir, 'logs')
  const finish = (
    checks: readonly Check[],
    about: Pick<Report, 'facts' | 'disk'>,
  ): {report: Report; logDir: string} => {
    const ms = Date.now() - started.getTime()
    const {title} = suite
    return {report: {...{title, subject: options.image, started: started.toISOString(), ms, checks}, ...about}, logDir}
  }
  const opened = await openImage(options)
  if (opened instanceof CcError) {
    const manifest: CheckTask = {
      id: 'manifest',
      title: 'The manifest is valid',
      run: () => judgeReadable({problem: opened.message}),
    }
    return finish(await runChecks([manifest], {title: suite.title, reporter, signal}), {facts: []})
  }

  const {image, config} = opened
  mkdirp(workDir)
  await removeAbandoned(workDir)
  const scratch = mkdtempSync(join(workDir, `scratch-${process.pid}-`))
  // Whatever goes wrong, no machine outlives this.
  const stop = new AbortController()
  const subject = underTest(image, config, {scratch, signal: AbortSignal.any([signal, stop.signal])})
  const settings = {...options, logDir, lazy: suite.lazy === true}
  const boots = startBoots(subject, settings)
  try {
    const tasks = checksOf(suite, subject, boots, settings)
    const results = await resultsOf(suite, image, options, {workDir, started: started.toISOString()})
    const checks = await runChecks(tasks, {
      title: `${suite.title} ${image.path}`,
      ...{reporter, signal, jobs: options.jobs ?? 1},
      ...(results && {known: results.known, onResult: results.keep}),
    }).catch((error: unknown) => {
      throw results === null ? error : withResume(error)
    })
    const facts = await imageFacts(subject, boots)
    const note = results?.note ?? null
    return finish(checks, {
      facts: note === null ? facts : [...facts, {label: 'Resumed', value: note}],
      disk: pictureOf(image.manifest),
    })
  } finally {
    stop.abort()
    await boots.settled()
    remove(scratch)
  }
}

const checksOf = (
  suite: ImageSuite,
  subject: ImageUnderTest,
  boots: Boots,
  settings: BootSettings & Pick<ImageTestOptions, 'sbom'>,
): CheckTask[] => [...suite.checks(subject, boots, settings), ...(settings.sbom === true ? sbomChecks(subject) : [])]

/** The results that this run keeps, or null where it keeps none. */
async function resultsOf(
  suite: ImageSuite,
  image: ImageDirectory,
  {results, config, accelerator, timeoutMs, memoryMiB}: ImageTestOptions,
  {workDir, started}: {workDir: string; started: string},
): Promise<Results | null> {
  if (results === undefined) return null
  const identity = await identityOf(image, {config, accelerator, timeoutMs, memoryMiB})
  const file = join(workDir, `${suite.title.replaceAll(' ', '-')}.results.json`)
  return openResults(file, identity, {resume: results === 'resume', started})
}

/** An interruption, with what to do to go on. */
function withResume(error: unknown): unknown {
  if (!CcError.is(error) || error.code !== 'E_INTERRUPTED') return error
  const suggestions = ['run it again with --resume: the checks that have ended are not made again']
  return new CcError('E_INTERRUPTED', error.message, {suggestions, reason: error})
}

/** The folders of runs that were killed: each has the number of its process in its name. */
async function removeAbandoned(workDir: string): Promise<void> {
  for (const name of await readdir(workDir)) {
    const pid = /^scratch-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || isRunning(Number(pid))) continue
    // A tree in it belongs to subordinate ids.
    await callStep(await planStep('tree/remove', {tree: join(workDir, name)}), {})
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The plan for people: what would be looked at, and the command of the boot. */
export async function showImageTest(suite: ImageSuite, options: ImageTestOptions): Promise<string[]> {
  const opened = await openImage(options)
  if (opened instanceof CcError) throw opened
  const {signal} = new AbortController()
  const subject = underTest(opened.image, opened.config, {scratch: '', signal})
  const impossible = whyNoBoot(subject)
  const boots = {impossible} as Boots // Listing the checks starts none of them.
  return [
    ...checksOf(suite, subject, boots, {...options, logDir: ''}).map(({id, title}) => `# ${id}: ${title}`),
    impossible === null ? formatCommand(showBoot(subject, options.memoryMiB)) : `# no boot: ${impossible}`,
  ]
}

/** The configuration that an image is compared with. */
export async function expectedConfig(options: Compared): Promise<Config> {
  const opened = await openImage(options)
  if (opened instanceof CcError) throw opened
  return opened.config
}

const folderOf = (image: string) =>
  statSync(image, {throwIfNoEntry: false})?.isFile() === true ? dirname(image) : image

/** An image whose manifest cannot be used is a finding; where there is no image at all, the command line is wrong. */
async function openImage({image, config}: Compared): Promise<{image: ImageDirectory; config: Config} | CcError> {
  try {
    const opened = await readImageDirectory(image)
    return {image: opened, config: config ?? parseConfig(opened.manifest.config)}
  } catch (error) {
    if (!CcError.is(error) || !['E_IMAGE', 'E_CONFIG'].includes(error.code)) throw error
    if (!existsSync(join(folderOf(image), 'manifest.json'))) throw error
    return error
  }
}
