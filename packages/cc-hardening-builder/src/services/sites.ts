import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {atomicWrite, mkdirp} from 'cc-core/fs'
import {preflight} from 'cc-core/host'
import {readImageDirectory, type ImageDirectory} from 'cc-core/manifest'
import {isPrepared, openOutput, outputPaths, planPrepare, planSeal} from 'cc-core/seal'
import {
  buildTree,
  imageKey,
  lock,
  noteUnfinished,
  planOwn,
  removeSecrets,
  removeUnfinished,
  runTasks,
  sealIdentity,
} from 'cc-core/stage'
import {stepTask, type TaskContext} from 'cc-core/steps'
import type {Reporter} from 'cc-core/ui'

import type {HardeningPlan} from './hardening.js'

export interface SealedSite {
  site: string
  image: ImageDirectory
  /** What this site took beyond what all share. */
  ms: number
}

/**
 * Seal one image for each site from one tree. Application, root file system and hash tree are made once; each site gets
 * its own content, keys and encryption.
 * @param plans one for each site, which differ in the site alone; the image of each goes to its `outputDir`
 * @throws E_CONFIG where two sites have one name, or need trees that differ
 */
export async function buildSites(
  plans: readonly HardeningPlan[],
  context: {reporter: Reporter; signal?: AbortSignal | undefined},
): Promise<SealedSite[]> {
  const [first] = plans
  if (first === undefined) throw new CcError('E_USAGE', 'no site is named')
  checkShared(plans)
  const {folders} = first.build
  for (const purpose of first.build.needs) await preflight(purpose, context.signal)
  for (const folder of [folders.root, folders.logs]) mkdirp(folder)
  const unlock = await lock(join(folders.root, 'lock'))
  const taskContext: TaskContext = {...context, logDir: folders.logs, places: [folders.root]}
  const whole: string[] = []
  try {
    await removeUnfinished(folders)
    await noteUnfinished(folders, [folders.open, folders.prepared, ...plans.flatMap(secretsOf)])
    try {
      await prepare(first, taskContext)
      const sealed: SealedSite[] = []
      for (const plan of plans) sealed.push(await sealSite(plan, taskContext))
      whole.push(folders.prepared)
      return sealed
    } finally {
      await removeUnfinished(folders, whole)
    }
  } finally {
    await unlock()
  }
}

/** Folders of one site that hold secrets while it is sealed: its content, what becomes of it, and the unfinished image. */
function siteFolders({build: {folders, outputDir, seal}, site}: HardeningPlan) {
  const [content, scratch] = [join(folders.root, `site-${site.name}`), join(folders.root, `scratch-${site.name}`)]
  return {content, scratch, partial: outputPaths(join(outputDir, seal.name)).partial}
}

const secretsOf = (plan: HardeningPlan): string[] => Object.values(siteFolders(plan))

/** Bring the tree to its end, and make of it what all sites share. */
async function prepare(plan: HardeningPlan, context: TaskContext): Promise<void> {
  const {tree, folders, seal, own} = plan.build
  const {prepared} = folders
  const {name, distribution, sourceDateEpoch, extra, config} = seal
  // The others are made at boot, and differ by the role of the site.
  const filled = Object.entries(config.layout.partitions).filter(([, {mount, from}]) => mount === '/' || from !== null)
  const parts = [tree.keys.at(-1), await sealIdentity(), name, distribution, sourceDateEpoch, extra, filled]
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  const perImage = own === undefined ? [] : [own.partition]
  const preparing = await planPrepare({...seal, tree: folders.tree, perImage}, prepared)
  const shared = (await keyOfPrepared(prepared)) === key ? [] : preparing
  announce(context.reporter, plan, [...tree.origin, ...tree.steps.map((step) => stepTask(step)), ...shared])
  await buildTree(tree, folders, context)
  if (shared.length === 0) return
  await runTasks(shared, context)
  await atomicWrite(join(prepared, 'key'), key)
}

const keyOfPrepared = async (folder: string): Promise<string> =>
  isPrepared(folder) ? readFile(join(folder, 'key'), 'utf8').catch(() => '') : ''

/** @throws E_CONFIG where two sites have one name, or need trees that differ */
function checkShared(plans: readonly HardeningPlan[]): void {
  const names = plans.map(({site}) => site.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new CcError('E_CONFIG', `two sites have the name '${twice}'`)
  const keys = plans.map(({build}) => build.tree.keys.at(-1))
  const other = keys.findIndex((key) => key !== keys[0])
  if (other >= 0) {
    throw new CcError('E_CONFIG', `the site '${names[other] ?? ''}' needs another system than '${names[0] ?? ''}'`, {
      suggestions: ['sites of one run share all but role, name, start-up kit, ports, hosts, resolvers and disk keys'],
    })
  }
}

async function sealSite(plan: HardeningPlan, context: TaskContext): Promise<SealedSite> {
  const started = Date.now()
  const {build, site} = plan
  const {folders, seal, outputDir} = build
  const {content, scratch} = siteFolders(plan)
  mkdirp(outputDir)
  const output = await openOutput(join(outputDir, seal.name))
  const own = await planOwn(build, content)
  const buildKey = await imageKey(build, own)
  const request = {...seal, tree: folders.tree, buildKey, prepared: folders.prepared, contents: own.contents}
  const tasks = [...own.tasks, ...(await planSeal(request, scratch, output))]
  announce(context.reporter, plan, tasks)
  try {
    await runTasks(tasks, {...context, places: [folders.root, outputDir]})
    await output.publish()
  } finally {
    await removeSecrets([content, scratch])
  }
  const ms = Date.now() - started
  context.reporter.report({type: 'stage-done', stage: seal.stage, ms})
  return {site: site.name, image: await readImageDirectory(join(outputDir, seal.name)), ms}
}

function announce(
  reporter: Reporter,
  {build, site}: HardeningPlan,
  tasks: readonly {id: string; title: string}[],
): void {
  const steps = tasks.map(({id, title}) => ({id, title}))
  reporter.report({type: 'stage-start', stage: build.seal.stage, title: `hardened image of ${site.name}`, steps})
}
