import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {securityWarnings} from '../config/index.js'
import {mkdirp} from '../fs/index.js'
import {preflight, type Purpose} from '../host/index.js'
import {readImageDirectory, type ImageDirectory} from '../manifest/index.js'
import {findAltered, openOutput, outputPaths, planSeal, type SealRequest} from '../seal/index.js'
import {launchIdentity} from '../platform/index.js'
import {stepTask, stepTitle, type PlannedStep, type Task} from '../steps/index.js'
import type {Reporter} from '../ui/index.js'
import type {WorkFolders} from './folders.js'
import {sealIdentity} from './identity.js'
import {lock} from './lock.js'
import {buildTree, findProgress, runTasks, type TreePlan} from './tree.js'
import {noteUnfinished, removeUnfinished} from './unfinished.js'

/** One stage: a tree, and the image it is sealed into. */
export interface ImageBuild {
  title: string
  /** What the host must be able to do. */
  needs: readonly Purpose[]
  folders: WorkFolders
  tree: TreePlan
  seal: Omit<SealRequest, 'tree' | 'buildKey'>
  /**
   * What belongs to this image alone, such as the start-up kit of a site: the step that fills a folder with it, and the
   * partition that the folder becomes. It is never part of the tree, which is kept between runs.
   */
  own?: {partition: string; fill: (folder: string) => Promise<PlannedStep>}
  /** What planning found that the user has to know. */
  warnings?: readonly string[]
  /** Where the image directory is to be. */
  outputDir: string
}

export interface BuildResult {
  image: ImageDirectory
  /** The image was there already, made from the same inputs. */
  cached: boolean
  ms: number
}

/**
 * Build an image: bring its tree to the end of its plan, and seal it. What is there already from the same inputs is
 * not done again. The image of a run before stays as it is until the new one is whole.
 */
export async function buildImage(
  build: ImageBuild,
  context: {reporter: Reporter; signal?: AbortSignal | undefined},
): Promise<BuildResult> {
  const started = Date.now()
  const {folders, seal, outputDir} = build
  const path = join(outputDir, seal.name)
  for (const text of build.warnings ?? []) context.reporter.report({type: 'warning', text})
  for (const purpose of build.needs) await preflight(purpose, context.signal)
  mkdirp(folders.root)
  mkdirp(folders.logs)
  mkdirp(outputDir)
  const unlock = await lock(join(folders.root, 'lock'))
  try {
    await removeUnfinished(folders)
    const own = await planOwn(build, folders.own)
    const buildKey = await imageKey(build, own)
    const present = await findImage(path, buildKey, seal.rootKey, folders.root)
    if (present !== null) {
      context.reporter.report({type: 'note', text: `${path} is up to date`})
      return {image: present, cached: true, ms: Date.now() - started}
    }
    for (const text of securityWarnings(seal.config)) context.reporter.report({type: 'warning', text})
    await noteUnfinished(folders, [outputPaths(path).partial, folders.open, folders.own, folders.scratch])
    try {
      await sealImage(build, own, buildKey, context)
    } finally {
      await removeUnfinished(folders)
    }
    const ms = Date.now() - started
    context.reporter.report({type: 'stage-done', stage: seal.stage, ms})
    return {image: await readImageDirectory(path), cached: false, ms}
  } finally {
    await unlock()
  }
}

/** Bring the tree to its end, seal it, and publish the image. What it leaves when it fails is the caller's to remove. */
async function sealImage(
  {title, folders, tree, seal, outputDir}: ImageBuild,
  own: Own,
  buildKey: string,
  context: {reporter: Reporter; signal?: AbortSignal | undefined},
): Promise<void> {
  const output = await openOutput(join(outputDir, seal.name))
  const request = {...seal, tree: folders.tree, contents: own.contents, buildKey}
  const sealing = [...own.tasks, ...(await planSeal(request, folders.scratch, output))]
  const steps = [
    ...(tree.downloads ?? []),
    ...tree.origin,
    ...tree.steps.map((step) => ({id: step.id, title: stepTitle(step)})),
    ...sealing,
  ]
  context.reporter.report({
    type: 'stage-start',
    stage: seal.stage,
    title,
    steps: steps.map(({id, title: text}) => ({id, title: text})),
  })
  const taskContext = {...context, logDir: folders.logs, places: [folders.root, outputDir]}
  await buildTree(tree, folders, taskContext)
  await runTasks(sealing, taskContext)
  await output.publish()
}

/** What belongs to one image alone, planned for a folder. */
interface Own {
  tasks: Task[]
  /** For planSeal. */
  contents: Record<string, string>
  /** What the content depends on; it does not name the folder. */
  identity: unknown
}

/** Plan what belongs to an image alone. Nothing where all of it comes from the tree. */
export async function planOwn({own}: Pick<ImageBuild, 'own'>, folder: string): Promise<Own> {
  if (own === undefined) return {tasks: [], contents: {}, identity: null}
  const step = await own.fill(folder)
  const words = step.argv.slice(2).map((word) => word.replaceAll(folder, ''))
  return {tasks: [stepTask(step)], contents: {[own.partition]: folder}, identity: [words, step.inputs]}
}

/** The plan as lines that a person can run one by one: commands, and comments for what we write between them. */
export async function showPlan(build: ImageBuild): Promise<string[]> {
  const {folders, seal, outputDir, tree} = build
  const paths = outputPaths(join(outputDir, seal.name))
  const own = await planOwn(build, folders.own)
  const request = {...seal, tree: folders.tree, contents: own.contents, buildKey: ''}
  const sealing = [...own.tasks, ...(await planSeal(request, folders.scratch, paths))]
  const {done} = await findProgress(tree, folders)
  const tasks: Task[] = [
    ...(tree.downloads ?? []),
    ...tree.origin,
    ...tree.steps.map((step) => stepTask(step)),
    ...sealing,
  ]
  const cached = done === 0 ? 0 : (tree.downloads ?? []).length + tree.origin.length + done - 1
  const shown = tasks.map((task, index) => (index < cached ? `${task.shown} # done` : task.shown))
  const warnings = (build.warnings ?? []).map((text) => `# warning: ${text}`)
  return [...warnings, ...shown, `# rename ${paths.partial} to ${paths.path}`]
}

/** Everything that the bytes of the image depend on, the keys aside. */
export async function imageKey({tree, seal}: Pick<ImageBuild, 'tree' | 'seal'>, own: Own): Promise<string> {
  const {rootKey: _, ...request} = seal
  const launch = await launchIdentity(seal.config.launch)
  return createHash('sha256')
    .update(JSON.stringify([tree.keys.at(-1), own.identity, await sealIdentity(), launch, request]))
    .digest('hex')
}

/** The image at a path if it was made from the same inputs, is unaltered, and has the key that is asked for. */
async function findImage(
  path: string,
  buildKey: string,
  rootKey: string | null,
  scratch: string,
): Promise<ImageDirectory | null> {
  if (!existsSync(join(path, 'manifest.json'))) return null
  try {
    const image = await readImageDirectory(path)
    if (image.manifest.buildKey !== buildKey) return null
    const key = await readFile(image.file('keys/root.key'))
    if (rootKey !== null && !key.equals(await readFile(rootKey))) return null
    return (await findAltered(image, scratch)).length === 0 ? image : null
  } catch {
    return null // Not ours, or damaged: it is built again.
  }
}
