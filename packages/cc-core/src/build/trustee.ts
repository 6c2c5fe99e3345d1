import {existsSync} from 'node:fs'
import {dirname, join, relative} from 'node:path'

import {CcError} from '../errors/index.js'
import type {ImageDirectory} from '../manifest/index.js'
import {keyFacts, openOutput, planTrusteeFolder, usesKbs} from '../seal/index.js'
import type {TaskContext} from '../steps/index.js'
import type {SealPlan} from './plan.js'
import {runTasks} from './tree.js'

/**
 * One folder trustee for all images of a run, beside their folders: one policy, and one program that sends all keys. Each
 * image has its own as well.
 * @param images those that are there; of one that was not made nothing can be said
 * @throws E_CONFIG where something else has its name
 * @returns the folder; null where no key comes from a broker, or the images have no folder in common
 */
export async function mergeTrustee(
  seals: readonly SealPlan[],
  images: readonly ImageDirectory[],
  context: TaskContext,
): Promise<string | null> {
  const parents = new Set(seals.map(({outputDir}) => dirname(outputDir)))
  const [parent] = parents
  const all = images.map(({path, manifest}) => ({path, facts: keyFacts(manifest)}))
  const asking = all.filter(({facts}) => usesKbs(facts.config))
  if (parent === undefined || parents.size > 1 || asking.length === 0) return null
  const folder = join(parent, 'trustee')
  // What is there is replaced as a whole.
  if (existsSync(folder) && !existsSync(join(folder, 'resources.json'))) {
    throw new CcError('E_CONFIG', `'${folder}' is there, and is not a folder for a key broker`, {
      suggestions: ['move it away, or choose another --output'],
    })
  }
  const output = await openOutput(folder)
  const found = asking.map(({path, facts}) => ({...facts, folder: relative(parent, path)}))
  await runTasks(await planTrusteeFolder(output.partial, () => Promise.resolve(found)), context)
  await output.publish()
  return output.path
}
