import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {securityWarnings} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {inParallel} from '../exec/index.js'
import {atomicWrite, lock, mkdirp} from '../fs/index.js'
import {preflight} from '../host/index.js'
import {readImageDirectory, type ImageDirectory} from '../manifest/index.js'
import {findAltered, openOutput, unfinishedShared} from '../seal/index.js'
import type {Task, TaskContext} from '../steps/index.js'
import {reportStep, type Reporter} from '../ui/index.js'
import {
  checkSeals,
  imageKey,
  planImage,
  planOwn,
  planShared,
  preparedKey,
  sealFolders,
  treeTasks,
  type BuildPlan,
  type OwnContent,
  type SealPlan,
  type Shared,
} from './plan.js'
import type {WorkFolders} from './folders.js'
import {buildTree, runTasks} from './tree.js'
import {checkMerged, forgetMerged, mergeTrustee} from './trustee.js'
import {noteUnfinished, removeSecrets, removeUnfinished} from './unfinished.js'

interface BuildContext {
  reporter: Reporter
  signal?: AbortSignal | undefined
}

/** What became of one image of a build. */
export interface BuiltImage {
  label: string
  /** The image directory; null where it was not made. */
  image: ImageDirectory | null
  /** The image was there already, made from the same inputs. */
  cached: boolean
  /** Why it was not made, or null. */
  error: CcError | null
  /** What this image took beyond what all share. */
  ms: number
}

/** An image that is to be made. */
interface Pending {
  one: SealPlan
  own: OwnContent
  buildKey: string
}

/**
 * Build images: bring their tree to the end of its plan, and seal each. What is there already from the same inputs is not
 * done again. An image of a run before stays as it is until the new one is whole. One that fails does not stop the others.
 * @returns what became of each, in the order of the plan
 * @throws what stopped the build before the first seal; E_INTERRUPTED; E_CONFIG where two images have one name
 */
export async function buildImages(plan: BuildPlan, context: BuildContext): Promise<BuiltImage[]> {
  checkSeals(plan)
  const {folders, seals} = plan
  const {reporter, signal} = context
  for (const text of plan.warnings ?? []) reporter.report({type: 'warning', text})
  for (const purpose of plan.needs) await preflight(purpose, signal)
  for (const folder of [folders.root, folders.logs, ...seals.map(({outputDir}) => outputDir)]) mkdirp(folder)
  checkMerged(seals)
  const unlock = await lock(join(folders.root, 'lock'))
  try {
    await removeUnfinished(folders)
    const found = await findImages(plan, reporter)
    const pending = found.filter((one) => 'buildKey' in one)
    // What it says of images that are made anew is not true any more.
    if (pending.length > 0) forgetMerged(seals)
    const made = pending.length === 0 ? [] : await makeImages(plan, pending, context)
    const all = found.map((one) => ('buildKey' in one ? made[pending.indexOf(one)] : one)).filter((one) => one !== undefined)
    if (seals.length > 1) await tellTrustee(plan, all, context)
    return all
  } finally {
    await unlock()
  }
}

/** What a key broker needs for all images of a run. */
async function tellTrustee(plan: BuildPlan, all: readonly BuiltImage[], context: BuildContext): Promise<void> {
  const images = all.map(({image}) => image).filter((image) => image !== null)
  const folder = await mergeTrustee(plan.seals, images, taskContext(plan, context))
  if (folder !== null) context.reporter.report({type: 'note', text: `policy and keys of ${images.length} images: ${folder}`})
}

/** What is up to date, and what has to be made. */
async function findImages(plan: BuildPlan, reporter: Reporter): Promise<(BuiltImage | Pending)[]> {
  const all: (BuiltImage | Pending)[] = []
  for (const one of plan.seals) {
    const started = Date.now()
    const paths = sealFolders(plan, one)
    const own = await planOwn(one, paths.own)
    const buildKey = await imageKey(plan, one, own)
    const image = await findImage(paths.path, buildKey, one.seal.rootKey, plan.folders.root)
    if (image === null) all.push({one, own, buildKey})
    else {
      reporter.report({type: 'note', text: `${paths.path} is up to date`})
      all.push({label: one.label, image, cached: true, error: null, ms: Date.now() - started})
    }
  }
  return all
}

/** Bring the tree to its end, make what the images share, and seal each of them. Nothing that is secret stays. */
async function makeImages(plan: BuildPlan, pending: readonly Pending[], context: BuildContext): Promise<BuiltImage[]> {
  const {folders} = plan
  const texts = pending.flatMap(({one}) => securityWarnings(one.seal.config))
  for (const text of new Set(texts)) context.reporter.report({type: 'warning', text})
  const secret = pending.flatMap(({one}) => {
    const {own, scratch, partial} = sealFolders(plan, one)
    return [own, scratch, partial]
  })
  const shared = await planShared(plan)
  const common = shared === null ? [] : [folders.prepared]
  const root = shared?.root == null ? [] : [unfinishedShared(shared.root)]
  if (shared?.root != null) mkdirp(dirname(shared.root))
  await noteUnfinished(folders, [folders.open, ...common, ...root, ...secret])
  const whole: string[] = []
  try {
    if (shared === null) return [await makeOne(plan, pending[0], context)]
    await makeShared(plan, shared, context)
    const made = await makeAll(plan, pending, shared, context)
    // An abort does not come to here: then the system as it is before its encryption goes, too.
    whole.push(...common)
    return made
  } finally {
    await removeUnfinished(folders, whole)
  }
}

/** The only image of a plan: one stage of work. */
async function makeOne(plan: BuildPlan, pending: Pending | undefined, context: BuildContext): Promise<BuiltImage> {
  if (pending === undefined) throw new Error('there is no image to make')
  const started = Date.now()
  const {one, own, buildKey} = pending
  const tasks = await planImage(plan, one, {buildKey, own, shared: null})
  announce(context, plan.title, one, [...treeTasks(plan), ...tasks])
  await buildTree(plan.tree, plan.folders, taskContext(plan, context))
  return seal(plan, one, tasks, context, started)
}

/** Several images, after the tree: as many at a time as there are processors, each as one step of a stage. */
async function makeAll(
  plan: BuildPlan,
  pending: readonly Pending[],
  shared: Shared,
  context: BuildContext,
): Promise<BuiltImage[]> {
  const started = Date.now()
  const {reporter} = context
  const {stage} = pending[0]?.one.seal ?? {stage: ''}
  const steps = pending.map(({one: {label}}) => ({id: stepOf(label), title: `image of ${label}`}))
  reporter.report({type: 'stage-start', stage, title: plan.title, steps, independent: true})
  const made = await inParallel(pending, (one) => makeOneOf(plan, one, shared, context))
  reporter.report({type: 'stage-done', stage, ms: Date.now() - started})
  return made
}

const stepOf = (label: string) => `image/${label}`

/** One image of several. Its own failure is told, but ends nothing else. */
async function makeOneOf(
  plan: BuildPlan,
  {one, own, buildKey}: Pending,
  shared: Shared,
  context: BuildContext,
): Promise<BuiltImage> {
  const started = Date.now()
  const {label} = one
  try {
    return await reportStep(context.reporter, stepOf(label), async (onLine) => {
      mkdirp(logsOf(plan.folders, one))
      const tasks = await planImage(plan, one, {buildKey, own, shared})
      return seal(plan, one, tasks, {...context, reporter: lineOf(tasks, onLine)}, started)
    })
  } catch (error) {
    if (!CcError.is(error) || error.code === 'E_INTERRUPTED') throw error
    context.reporter.report({type: 'warning', text: `the image of ${label} was not made: ${error.message}`})
    return {label, image: null, cached: false, error, ms: Date.now() - started}
  } finally {
    const {own: content, scratch, partial} = sealFolders(plan, one)
    await removeSecrets([content, scratch, partial])
  }
}

/** Where the tasks of one image tell what they do: each is a line of the step that the image is. */
const lineOf = (tasks: readonly Task[], onLine: (line: string) => void): Reporter => ({
  report: (event) => {
    if (event.type === 'step-start') onLine(tasks.find(({id}) => id === event.step)?.title ?? event.step)
    else if (event.type === 'step-line') onLine(event.line)
  },
  close: () => Promise.resolve(),
})

/** Run the tasks of a seal, and publish the image. */
async function seal(
  plan: BuildPlan,
  one: SealPlan,
  tasks: readonly Task[],
  context: BuildContext,
  started: number,
): Promise<BuiltImage> {
  const {path} = sealFolders(plan, one)
  const output = await openOutput(path)
  await runTasks(tasks, taskContext(plan, context, one))
  await output.publish()
  const ms = Date.now() - started
  context.reporter.report({type: 'stage-done', stage: one.seal.stage, ms})
  return {label: one.label, image: await readImageDirectory(path), cached: false, error: null, ms}
}

/** Bring the tree to its end, and make of it what all images share, unless it is there. */
async function makeShared(plan: BuildPlan, {tasks, key, root}: Shared, context: BuildContext): Promise<void> {
  const {folders, tree, title} = plan
  const [first] = plan.seals
  if (first === undefined) throw new Error('there is no image to make')
  announce(context, title, first, [...treeTasks(plan), ...tasks])
  await buildTree(tree, folders, taskContext(plan, context))
  if (tasks.length === 0) return
  const {places = [], ...rest} = taskContext(plan, context)
  await runTasks(tasks, {...rest, places: [...places, ...(root === null ? [] : [dirname(root)])]})
  await atomicWrite(preparedKey(folders), key)
}

/** Images that are sealed side by side have steps of the same names. */
const logsOf = ({logs}: WorkFolders, {label}: SealPlan) => join(logs, label)

const taskContext = ({folders, seals}: BuildPlan, context: BuildContext, one?: SealPlan): TaskContext => ({
  ...context,
  logDir: one === undefined || seals.length === 1 ? folders.logs : logsOf(folders, one),
  places: [folders.root, ...(one === undefined ? [] : [one.outputDir])],
})

function announce({reporter}: BuildContext, title: string, {seal: {stage}}: SealPlan, tasks: readonly Task[]): void {
  reporter.report({type: 'stage-start', stage, title, steps: tasks.map(({id, title: text}) => ({id, title: text}))})
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
    const key = image.file('keys/root.key')
    if (rootKey !== null && !(await readFile(key)).equals(await readFile(rootKey))) return null
    return (await findAltered(image, scratch)).length === 0 ? image : null
  } catch {
    return null // Not ours, or damaged: it is built again.
  }
}
