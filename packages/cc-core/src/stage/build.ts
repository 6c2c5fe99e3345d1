import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {securityWarnings} from '../config/index.js'
import {mkdirp, remove} from '../fs/index.js'
import {preflight, type Purpose} from '../host/index.js'
import {readImageDirectory, type ImageDirectory} from '../manifest/index.js'
import {findAltered, openOutput, outputPaths, planSeal, type SealRequest} from '../seal/index.js'
import {launchIdentity} from '../platform/index.js'
import {hashFolder, scriptsDirectory, stepTask, stepTitle, type Task} from '../steps/index.js'
import type {Reporter} from '../ui/index.js'
import type {WorkFolders} from './folders.js'
import {lock} from './lock.js'
import {buildTree, findProgress, runTasks, type TreePlan} from './tree.js'

/** One stage: a tree, and the image it is sealed into. */
export interface ImageBuild {
  title: string
  /** What the host must be able to do. */
  needs: readonly Purpose[]
  folders: WorkFolders
  tree: TreePlan
  seal: Omit<SealRequest, 'tree' | 'buildKey'>
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
  const {folders, seal, outputDir, title} = build
  const path = join(outputDir, seal.name)
  for (const text of build.warnings ?? []) context.reporter.report({type: 'warning', text})
  for (const purpose of build.needs) await preflight(purpose, context.signal)
  mkdirp(folders.root)
  mkdirp(folders.logs)
  mkdirp(outputDir)
  const unlock = await lock(join(folders.root, 'lock'))
  try {
    const buildKey = await keyOf(build)
    const present = await findImage(path, buildKey, seal.rootKey, folders.root)
    if (present !== null) {
      context.reporter.report({type: 'note', text: `${path} is up to date`})
      return {image: present, cached: true, ms: Date.now() - started}
    }
    const output = await openOutput(path)
    const sealing = await planSeal({...seal, tree: folders.tree, buildKey}, folders.scratch, output)
    const steps = [
      ...(build.tree.downloads ?? []),
      ...build.tree.origin,
      ...build.tree.steps.map((step) => ({id: step.id, title: stepTitle(step)})),
      ...sealing,
    ]
    context.reporter.report({
      type: 'stage-start',
      stage: seal.stage,
      title,
      steps: steps.map(({id, title: text}) => ({id, title: text})),
    })
    const taskContext = {...context, logDir: folders.logs, places: [folders.root, outputDir]}
    for (const text of securityWarnings(seal.config)) context.reporter.report({type: 'warning', text})
    try {
      await buildTree(build.tree, folders, taskContext)
      await runTasks(sealing, taskContext)
      await output.publish()
    } catch (error) {
      // Both hold what nobody else should have: keys, and the system before it is encrypted.
      output.discard()
      remove(folders.scratch)
      throw error
    }
    const ms = Date.now() - started
    context.reporter.report({type: 'stage-done', stage: seal.stage, ms})
    return {image: await readImageDirectory(path), cached: false, ms}
  } finally {
    await unlock()
  }
}

/** The plan as lines that a person can run one by one: commands, and comments for what we write between them. */
export async function showPlan(build: ImageBuild): Promise<string[]> {
  const {folders, seal, outputDir, tree} = build
  const paths = outputPaths(join(outputDir, seal.name))
  const sealing = await planSeal({...seal, tree: folders.tree, buildKey: ''}, folders.scratch, paths)
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
async function keyOf({tree, seal}: ImageBuild): Promise<string> {
  const {rootKey: _, ...identity} = seal
  const scripts = await Promise.all(['disk', 'boot', 'host'].map((name) => hashFolder(join(scriptsDirectory(), name))))
  const launch = await launchIdentity(seal.config.launch)
  return createHash('sha256')
    .update(JSON.stringify([tree.keys.at(-1), scripts, launch, identity]))
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
