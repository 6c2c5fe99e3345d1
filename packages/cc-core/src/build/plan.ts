import {createHash, randomBytes} from 'node:crypto'
import {existsSync, realpathSync, statSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

import {CcError} from '../errors/index.js'
import type {Purpose} from '../host/index.js'
import {launchIdentity} from '../platform/index.js'
import {
  canShareRoot,
  findShared,
  isPrepared,
  keyFile,
  keyOwner,
  newSharedFile,
  outputPaths,
  planPrepare,
  planSeal,
  planSharedRoot,
  type SealRequest,
  signingIdentity,
} from '../seal/index.js'
import {stepTask, type PlannedStep, type Task} from '../steps/index.js'
import {refuseSharedPaths} from '../trustee/index.js'
import type {WorkFolders} from './folders.js'
import {sealIdentity} from './identity.js'
import {findProgress, type TreePlan} from './tree.js'

/** A build: one tree, and the images that are sealed from it. One image is a list of one. */
export interface BuildPlan {
  title: string
  /** What the host must be able to do. */
  needs: readonly Purpose[]
  folders: WorkFolders
  tree: TreePlan
  /** At least one. What all of them share is made once. */
  seals: readonly SealPlan[]
  /**
   * The folder for the root that several images share, encrypted once; their disks lean on it. Null: each image is
   * self-contained, as a single one always is.
   */
  sharedFolder?: string | null
  /** What planning found that the user has to know. */
  warnings?: readonly string[]
}

/** One image of a tree. */
export interface SealPlan {
  /** What tells it from the others of its build, such as the name of a site. */
  label: string
  seal: Omit<SealRequest, 'tree' | 'prepared' | 'shared' | 'contents' | 'buildKey'>
  /**
   * What belongs to this image alone, such as the start-up kit of a site: the step that fills a folder with it, and the
   * partition that the folder becomes. It is never part of the tree, which is kept between runs.
   */
  own?: {partition: string; fill: (folder: string) => Promise<PlannedStep>}
  /** Where the image directory is to be. */
  outputDir: string
}

/** Folders of one seal, which hold secrets while it is made: its own content, what becomes of it, the unfinished image. */
export interface SealFolders {
  own: string
  scratch: string
  path: string
  partial: string
}

/** @returns absolute paths */
export function sealFolders({folders}: BuildPlan, {label, seal, outputDir}: SealPlan): SealFolders {
  const {path, partial} = outputPaths(join(outputDir, seal.name))
  return {own: join(folders.root, `own-${label}`), scratch: join(folders.root, `scratch-${label}`), path, partial}
}

/**
 * Refuse a plan whose images would be in each other's way.
 * @throws E_CONFIG where two of them have one label or one folder, two keys one path of the key broker, or something is in
 *   the place of what they share
 */
export function checkSeals(plan: BuildPlan): void {
  const {seals} = plan
  const twice = (words: readonly string[]) => words.find((word, index) => words.indexOf(word) !== index)
  const label = twice(seals.map((one) => one.label))
  if (label !== undefined) throw new CcError('E_CONFIG', `two images of one run have the name '${label}'`)
  const path = twice(seals.map(({outputDir, seal}) => join(outputDir, seal.name)))
  if (path !== undefined) throw new CcError('E_CONFIG', `two images of one run would be written to ${path}`)
  checkNeighbours(plan)
  // One root has one key, whatever its file is going to be called.
  const shared = sharesRoot(plan) ? 'shared' : undefined
  refuseSharedPaths(seals.map(({seal}) => ({config: seal.config, owner: keyOwner({...seal, shared})})))
}

/** Beside the folders of several sites there is one for the key broker, and one for what they share. */
function checkNeighbours({seals, sharedFolder = null}: BuildPlan): void {
  if (seals.length === 1) return
  const taken = seals.map(({outputDir}) => basename(outputDir)).find((name) => ['trustee', 'shared'].includes(name))
  if (taken !== undefined) {
    const use = taken === 'trustee' ? 'for the key broker' : 'for what the sites share'
    throw new CcError('E_CONFIG', `a site cannot have the name '${taken}': that folder is ${use}`)
  }
  if (sharedFolder === null) return
  if (existsSync(sharedFolder) && !statSync(sharedFolder).isDirectory()) {
    throw new CcError('E_CONFIG', `'${sharedFolder}' is there, and is not a folder for what the sites share`, {
      suggestions: ['move it away, choose another --output, or build self-contained images: --standalone'],
    })
  }
  const place = dirname(sharedFolder)
  const elsewhere = seals.find(({outputDir}) => existsSync(outputDir) && dirname(realpathSync(outputDir)) !== realpathSync(place))
  if (elsewhere === undefined) return
  throw new CcError('E_CONFIG', `'${elsewhere.outputDir}' leads out of '${place}', where the sites have their shared root`, {
    suggestions: ['build self-contained images: --standalone'],
  })
}

/** What belongs to one image alone. */
export interface OwnContent {
  tasks: Task[]
  /** For planSeal. */
  contents: Record<string, string>
  /** What the content depends on; it does not name the folder. */
  identity: unknown
}

/** Plan what belongs to an image alone, for a folder. Nothing where all of it comes from the tree. */
export async function planOwn({own}: Pick<SealPlan, 'own'>, folder: string): Promise<OwnContent> {
  if (own === undefined) return {tasks: [], contents: {}, identity: null}
  const step = await own.fill(folder)
  const words = step.argv.slice(2).map((word) => word.replaceAll(folder, ''))
  return {tasks: [stepTask(step)], contents: {[own.partition]: folder}, identity: [words, step.inputs]}
}

/** Everything that the bytes of one image depend on, the keys aside. */
export async function imageKey(plan: BuildPlan, {seal}: SealPlan, own: OwnContent): Promise<string> {
  const {rootKey: _, ...request} = seal
  const {launch, signing} = seal.config
  const files = [await launchIdentity(launch), await signingIdentity(signing)]
  return digest([plan.tree.keys.at(-1), own.identity, await sealIdentity(), files, request, sharesRoot(plan)])
}

/** Whether the images of a build lean on one root. */
const sharesRoot = ({seals, sharedFolder = null}: BuildPlan) =>
  seals.length > 1 && sharedFolder !== null && seals.every(({seal}) => canShareRoot(seal))

/** What the images of a build share; null for a single image, which is sealed at once. */
export interface Shared {
  /** What has to be done; nothing where it is there from a run before. */
  tasks: Task[]
  /** Everything that the shared part depends on. */
  key: string
  /** The file of the root that all lean on, absolute; null where each has its own. */
  root: string | null
}

/** Plan what the images of a build share. */
export async function planShared(plan: BuildPlan): Promise<Shared | null> {
  const {folders, tree, seals, sharedFolder = null} = plan
  const [first] = seals
  if (first === undefined || seals.length === 1) return null
  const {name, distribution, sourceDateEpoch, extra, config} = first.seal
  // The others are made at boot, and differ by the role of the site.
  const filled = Object.entries(config.layout.partitions).filter(([, {mount, from}]) => mount === '/' || from !== null)
  const perImage = seals.flatMap(({own}) => (own === undefined ? [] : [own.partition]))
  const key = digest([tree.keys.at(-1), await sealIdentity(), name, distribution, sourceDateEpoch, extra, filled])
  const request = {...first.seal, tree: folders.tree, perImage}
  const {prepared} = folders
  const there = isPrepared(prepared) && (await readFile(preparedKey(folders), 'utf8').catch(() => '')) === key
  if (sharedFolder === null || !sharesRoot(plan))
    return {key, root: null, tasks: there ? [] : await planPrepare(request, prepared)}
  const found = there ? await findShared(request, prepared) : null
  if (found !== null && dirname(found) === sharedFolder && (await opens(prepared, first.seal.rootKey)))
    return {key, root: found, tasks: []}
  const rootKey = first.seal.rootKey === null ? randomBytes(32) : await readFile(first.seal.rootKey)
  const root = newSharedFile(sharedFolder)
  const shared = await planSharedRoot(request, {prepared, rootKey, file: root})
  return {key, root, tasks: [...(await planPrepare(request, prepared)), ...shared]}
}

/** Where the key of what was prepared is written down, once all of it is whole. */
export const preparedKey = ({prepared}: WorkFolders) => join(prepared, 'key')

/** Whether the shared root has the key that is asked for. */
async function opens(prepared: string, rootKey: string | null): Promise<boolean> {
  if (rootKey === null) return true
  const [has, wanted] = await Promise.all([keyFile(prepared, 'cc-root'), rootKey].map((file) => readFile(file)))
  return has !== undefined && wanted?.equals(has) === true
}

/**
 * Plan one seal, to its unfinished folder.
 * @param shared what planShared has found
 */
export async function planImage(
  plan: BuildPlan,
  one: SealPlan,
  {buildKey, own, shared}: {buildKey: string; own: OwnContent; shared: Shared | null},
): Promise<Task[]> {
  const {folders} = plan
  const paths = sealFolders(plan, one)
  const prepared = shared === null ? {} : {prepared: folders.prepared}
  const root = shared?.root == null ? {} : {shared: shared.root}
  const request = {...one.seal, ...prepared, ...root, tree: folders.tree, contents: own.contents, buildKey}
  return [...own.tasks, ...(await planSeal(request, paths.scratch, paths))]
}

/** The tasks that bring the tree to its end. */
export const treeTasks = ({tree}: BuildPlan): Task[] => [
  ...(tree.downloads ?? []),
  ...tree.origin,
  ...tree.steps.map((step) => stepTask(step)),
]

/**
 * The plan as lines that a person can run one by one: commands, and comments for what we write between them.
 * @throws E_CONFIG where two images have one name
 */
export async function showPlan(plan: BuildPlan): Promise<string[]> {
  checkSeals(plan)
  const {folders, tree, seals, warnings = []} = plan
  const {done} = await findProgress(tree, folders)
  const cached = done === 0 ? 0 : (tree.downloads ?? []).length + tree.origin.length + done - 1
  const lines = treeTasks(plan).map(({shown}, index) => (index < cached ? `${shown} # done` : shown))
  const shared = await planShared(plan)
  lines.push(...(shared?.tasks ?? []).map(({shown}) => shown))
  for (const one of seals) {
    const paths = sealFolders(plan, one)
    if (seals.length > 1) lines.push(`# the image of ${one.label}`)
    const tasks = await planImage(plan, one, {buildKey: '', own: await planOwn(one, paths.own), shared})
    lines.push(...tasks.map(({shown}) => shown), `# rename ${paths.partial} to ${paths.path}`)
  }
  return [...warnings.map((text) => `# warning: ${text}`), ...lines]
}

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex')
