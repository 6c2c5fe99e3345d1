import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {atomicWrite, mkdirp, remove} from 'cc-core/fs'
import {preflight} from 'cc-core/host'
import {readImageDirectory, type ImageDirectory} from 'cc-core/manifest'
import {isPrepared, openOutput, planPrepare, planSeal} from 'cc-core/seal'
import {buildTree, lock, runTasks} from 'cc-core/stage'
import {planStep, stepTask, type TaskContext} from 'cc-core/steps'
import type {Reporter} from 'cc-core/ui'

import type {HardeningPlan} from './hardening.js'
import {siteStep} from './steps.js'

export interface SealedSite {
  site: string
  image: ImageDirectory
  /** What this site took beyond what all share. */
  ms: number
}

/** The partition that each site fills with something of its own. */
const own = 'cc-ro'

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
  const tree = sharedTree(plans)
  const {folders, seal} = first.build
  for (const purpose of first.build.needs) await preflight(purpose, context.signal)
  for (const folder of [folders.root, folders.logs]) mkdirp(folder)
  const unlock = await lock(join(folders.root, 'lock'))
  const taskContext: TaskContext = {...context, logDir: folders.logs, places: [folders.root]}
  const prepared = join(folders.root, 'prepared')
  try {
    const key = tree.keys.at(-1) ?? ''
    const preparing = await planPrepare({...seal, tree: folders.tree, perImage: [own]}, prepared)
    const shared = (await keyOfPrepared(prepared)) === key ? [] : preparing
    announce(context.reporter, first, [...tree.origin, ...tree.steps.map((step) => stepTask(step)), ...shared])
    await buildTree(tree, folders, taskContext)
    if (shared.length > 0) {
      await runTasks(shared, taskContext)
      await atomicWrite(join(prepared, 'key'), key)
    }
    const sealed: SealedSite[] = []
    for (const plan of plans) sealed.push(await sealSite(plan, key, prepared, taskContext))
    return sealed
  } finally {
    await unlock()
  }
}

const keyOfPrepared = async (folder: string): Promise<string> =>
  isPrepared(folder) ? readFile(join(folder, 'key'), 'utf8').catch(() => '') : ''

/** The steps without the one that fills the content of a site: they are the same for all. */
function sharedTree(plans: readonly HardeningPlan[]): HardeningPlan['build']['tree'] {
  const trees = plans.map(({build: {tree}}) => ({
    ...tree,
    steps: tree.steps.slice(0, -1),
    keys: tree.keys.slice(0, -1),
  }))
  const [first] = trees
  const names = plans.map(({site}) => site.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new CcError('E_CONFIG', `two sites have the name '${twice}'`)
  const other = trees.findIndex((tree) => tree.keys.at(-1) !== first?.keys.at(-1))
  if (first === undefined || other >= 0) {
    throw new CcError('E_CONFIG', `the site '${names[other] ?? ''}' needs another system than '${names[0] ?? ''}'`, {
      suggestions: ['sites of one run share all but role, name, start-up kit, ports, hosts, resolvers and disk keys'],
    })
  }
  return first
}

async function sealSite(
  {build, site}: HardeningPlan,
  treeKey: string,
  prepared: string,
  context: TaskContext,
): Promise<SealedSite> {
  const started = Date.now()
  const {folders, seal, outputDir} = build
  const content = join(folders.root, `site-${site.name}`)
  const scratch = join(folders.root, `scratch-${site.name}`)
  mkdirp(outputDir)
  const output = await openOutput(join(outputDir, seal.name))
  const fill = await siteStep(site, {
    ...{output: content, gid: seal.config.os.user.gid, sourceDateEpoch: seal.sourceDateEpoch},
  })
  const buildKey = createHash('sha256')
    .update(JSON.stringify([treeKey, fill.argv.slice(2), fill.inputs, {...seal, rootKey: null}]))
    .digest('hex')
  const request = {...seal, tree: folders.tree, buildKey, prepared, contents: {[own]: content}}
  const tasks = [stepTask(fill), ...(await planSeal(request, scratch, output))]
  announce(context.reporter, {build, site}, tasks)
  try {
    await runTasks(tasks, {...context, places: [folders.root, outputDir]})
    await output.publish()
  } catch (error) {
    output.discard()
    throw error
  } finally {
    remove(scratch)
    // Its files belong to subordinate ids.
    await stepTask(await planStep('tree/remove', {tree: content})).run(context)
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
