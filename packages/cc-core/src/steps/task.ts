import {existsSync} from 'node:fs'
import {statfs} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError, fromStepOutput} from '../errors/index.js'
import {formatCommand, run, SubprocessError} from '../exec/index.js'
import {reportStep, type Reporter} from '../ui/index.js'
import type {PlannedStep} from './plan.js'

/** What a task needs to know of the build around it. */
export interface TaskContext {
  reporter: Reporter
  /** Each step has a log file here. */
  logDir: string
  signal?: AbortSignal | undefined
  /** Folders on the file systems that the build writes to. */
  places?: readonly string[]
}

/** One line of a plan: a step, or a file that we write between two steps. */
export interface Task {
  /** Unique in its plan. */
  id: string
  title: string
  /** For --dry-run: a command that a person can run, or a comment that says what we write. */
  shown: string
  /** @returns what a step wrote to standard output */
  run(context: TaskContext): Promise<string>
}

/** A step as a task. A name tells two runs of one step in a plan apart. */
export function stepTask(step: PlannedStep, name?: string): Task {
  const id = name === undefined ? step.id : `${step.id}:${name}`
  return {
    id,
    title: name === undefined ? stepTitle(step) : `${name}: ${stepTitle(step)}`,
    shown: formatCommand(step.argv),
    run: (context) => runStep(step, id, context),
  }
}

/** The purpose of a step as far as one line has room for it: up to the first point where a reader may stop. */
export function stepTitle({contract}: PlannedStep): string {
  return contract.purpose.split(/[:,.;]( |$)/, 1)[0] ?? contract.purpose
}

/** A task that is not run where what it makes is there already; its path names the content. */
export function onceTask(task: Task, path: string): Task {
  return {
    ...task,
    run: async (context) => {
      if (!existsSync(path)) return task.run(context)
      context.reporter.report({type: 'step-cached', step: task.id})
      return ''
    },
  }
}

/** A file that we write ourselves, as a task. */
export function writeTask(id: string, title: string, work: () => Promise<void>): Task {
  return {
    id,
    title,
    shown: `# ${title}`,
    run: ({reporter}) =>
      reportStep(reporter, id, async () => {
        await work()
        return ''
      }),
  }
}

/** Run a step as a task: report it, log it, and look for a full disk where it fails. */
function runStep(step: PlannedStep, id: string, context: TaskContext): Promise<string> {
  const {reporter, logDir, signal, places = []} = context
  return reportStep(reporter, id, async (line) => {
    const logFile = join(logDir, `${id.replaceAll(/[/:]/g, '-')}.log`)
    try {
      return await callStep(step, {logFile, signal, onLine: line})
    } catch (error) {
      throw (await diskFull(error, places)) ?? error
    }
  })
}

export interface CallOptions {
  logFile?: string
  signal?: AbortSignal | undefined
  /** Called for each line of progress. */
  onLine?: (line: string) => void
}

/**
 * Run one step by itself.
 * @returns what it wrote to standard output
 * @throws CcError with the code that the step named, else E_STEP_FAILED
 */
export async function callStep(step: PlannedStep, {logFile, signal, onLine}: CallOptions = {}): Promise<string> {
  const {input = ''} = step
  try {
    const {stdout} = await run(step.argv, {
      collect: true,
      ...(input !== '' && {input, secret: true}),
      onLine: (text, stream) => {
        if (stream === 'stderr') onLine?.(text)
      },
      ...(logFile !== undefined && {logFile}),
      ...(signal && {signal}),
    })
    return stdout
  } catch (error) {
    if (error instanceof SubprocessError && error.kind === 'exited') throw fromStepOutput(error.stderr) ?? error
    throw error
  }
}

/** Programs name a full disk in many ways, or not at all; a file system that has no room left names it for them. */
async function diskFull(error: unknown, places: readonly string[]): Promise<CcError | null> {
  if (!CcError.is(error) || error.code === 'E_INTERRUPTED') return null
  for (const place of places) {
    const {bavail, bsize} = await statfs(place)
    if (bavail * bsize > 1024 * 1024) continue
    return new CcError('E_SPACE', `the file system of ${place} is full: ${error.message}`, {
      suggestions: ['free some space, or choose another --work-dir or --output'],
      reason: error,
    })
  }
  return null
}
