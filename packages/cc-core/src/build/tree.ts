import {existsSync} from 'node:fs'
import {readdir, readFile, stat, unlink} from 'node:fs/promises'
import {join} from 'node:path'

import {atomicWrite, mkdirPrivate, remove} from '../fs/index.js'
import {planStep, stepKeys, stepTask, type PlannedStep, type Task, type TaskContext} from '../steps/index.js'
import {SilentReporter} from '../ui/index.js'
import type {WorkFolders} from './folders.js'

/** How a tree comes to be: an origin makes it, the steps change it. */
export interface TreePlan {
  tree: string
  /** Files that the steps read, from outside. They come first, so that what cannot be had is known before anything else. */
  downloads?: readonly Task[]
  /** Tasks that make the tree from nothing: an ISO or a mirror unpacked, an image opened. */
  origin: readonly Task[]
  /** Paths that the steps read. Without them the origin is run again, since it makes them. */
  needs: readonly string[]
  steps: readonly PlannedStep[]
  /** The content hash of the tree after the origin, and after each step. */
  keys: readonly string[]
}

export interface TreeRequest extends Omit<TreePlan, 'keys'> {
  /** What the origin depends on, such as the sha256 of an ISO. */
  originKey: string
  workDir: string
}

/** Plan a tree: the content hashes tell which part of it is already there. */
export async function planTree({originKey, workDir, ...plan}: TreeRequest): Promise<TreePlan> {
  return {...plan, keys: await stepKeys(plan.steps, originKey, workDir)}
}

/** How far a tree is. */
export interface TreeProgress {
  /** 0: nothing is there; 1: the origin; n + 1: n steps. */
  done: number
  /** The checkpoint that has it; null where it is the tree on disk. */
  checkpoint: string | null
}

/** Find where a build can go on. Nothing is changed. */
export async function findProgress(plan: TreePlan, folders: WorkFolders): Promise<TreeProgress> {
  const state = await readFile(stateFile(folders), 'utf8').catch(() => '')
  const inTree = existsSync(plan.tree) ? plan.keys.indexOf(state.trim()) + 1 : 0
  const saved = plan.keys.findLastIndex((key) => existsSync(checkpointFile(folders, key))) + 1
  const done = Math.max(inTree, saved)
  if (done < plan.keys.length && !plan.needs.every((path) => existsSync(path))) return {done: 0, checkpoint: null}
  return {done, checkpoint: done === inTree ? null : checkpointFile(folders, plan.keys[done - 1] ?? '')}
}

/** Which key the tree on disk has. While a step runs there is no such file: the tree is neither the one nor the other. */
const stateFile = (folders: WorkFolders) => join(folders.root, 'tree.key')

const checkpointFile = (folders: WorkFolders, key: string) => join(folders.checkpoints, `${key}.tar`)

/**
 * Bring the tree on disk to the end of its plan, from wherever it is. A step that was interrupted is never continued:
 * the tree as it was before comes back from a checkpoint, or from the origin.
 */
export async function buildTree(plan: TreePlan, folders: WorkFolders, context: TaskContext): Promise<void> {
  // A copy of a tree is one file: the modes of what is in it do not protect it.
  mkdirPrivate(folders.checkpoints)
  const {done, checkpoint} = await findProgress(plan, folders)
  const {reporter} = context
  const quiet = {...context, reporter: new SilentReporter()}
  const tree = {tree: plan.tree}
  const reached = (index: number) => atomicWrite(stateFile(folders), `${plan.keys[index] ?? ''}\n`)

  const downloads = plan.downloads ?? []
  if (done < plan.keys.length) await runTasks(downloads, context)
  else for (const task of downloads) reporter.report({type: 'step-cached', step: task.id})
  if (done > 0) for (const task of plan.origin) reporter.report({type: 'step-cached', step: task.id})
  for (const step of plan.steps.slice(0, Math.max(done - 1, 0))) reporter.report({type: 'step-cached', step: step.id})
  if (done === 0 || checkpoint !== null) {
    await unlink(stateFile(folders)).catch(() => undefined)
    if (checkpoint === null) await stepTask(await planStep('tree/remove', tree)).run(quiet)
    else await stepTask(await planStep('tree/restore', {archive: checkpoint, ...tree})).run(quiet)
  }
  if (done === 0) await runTasks(plan.origin, context)
  await reached(Math.max(done - 1, 0))

  for (const [index, step] of plan.steps.entries()) {
    if (index + 1 < done) continue
    await unlink(stateFile(folders))
    await stepTask(step).run(context)
    const output = checkpointFile(folders, plan.keys[index + 1] ?? '')
    if (step.checkpoint) await stepTask(await planStep('tree/save', {...tree, output})).run(quiet)
    await reached(index + 1)
  }
  await forgetCheckpoints(plan, folders)
}

/** Run tasks one after the other. */
export async function runTasks(tasks: readonly Task[], context: TaskContext): Promise<void> {
  for (const task of tasks) await task.run(context)
}

/** Keep the checkpoints of this plan and the two newest others, so that a change can be taken back cheaply. */
async function forgetCheckpoints(plan: TreePlan, folders: WorkFolders): Promise<void> {
  const mine = plan.keys.map((key) => checkpointFile(folders, key))
  const others = (await readdir(folders.checkpoints)).map((name) => join(folders.checkpoints, name))
  const aged = await Promise.all(
    others.filter((file) => !mine.includes(file)).map(async (file) => ({file, time: (await stat(file)).mtimeMs})),
  )
  for (const {file} of aged.sort((a, b) => b.time - a.time).slice(2)) remove(file)
}
