import {existsSync} from 'node:fs'
import {dirname, join, relative} from 'node:path'

import {CcError} from '../errors/index.js'
import {remove} from '../fs/index.js'
import {sha256File, type ImageDirectory} from '../manifest/index.js'
import {keyFacts, openOutput, planTrusteeFolder, usesKbs} from '../seal/index.js'
import type {TaskContext} from '../steps/index.js'
import type {SealPlan} from './plan.js'
import {runTasks} from './tree.js'

/** The folder trustee of a run of several images; null for one, and where the images have no folder in common. */
function mergedFolder(seals: readonly SealPlan[]): string | null {
  const [parent, ...others] = new Set(seals.map(({outputDir}) => dirname(outputDir)))
  return seals.length === 1 || parent === undefined || others.length > 0 ? null : join(parent, 'trustee')
}

/** @throws E_CONFIG where something else has the name of the folder trustee: what is there is replaced as a whole */
export function checkMerged(seals: readonly SealPlan[]): void {
  const folder = mergedFolder(seals)
  if (folder === null || !existsSync(folder) || existsSync(join(folder, 'resources.json'))) return
  throw new CcError('E_CONFIG', `'${folder}' is there, and is not a folder for a key broker`, {
    suggestions: ['move it away, or choose another --output'],
  })
}

/** Remove the folder trustee of a run before: nobody is to send what it says of images that have changed. */
export function forgetMerged(seals: readonly SealPlan[]): void {
  const folder = mergedFolder(seals)
  if (folder !== null) remove(folder)
}

/**
 * One folder trustee for all images of a run, beside their folders: one policy, and one program that sends all keys. Each
 * image has its own as well.
 * @param images those that are there; of one that was not made nothing can be said
 * @returns the folder; null where no key comes from a broker, or the images have no folder in common
 */
export async function mergeTrustee(
  seals: readonly SealPlan[],
  images: readonly ImageDirectory[],
  context: TaskContext,
): Promise<string | null> {
  const folder = mergedFolder(seals)
  const all = images.map(({path, manifest}) => ({path, facts: keyFacts(manifest)}))
  const asking = all.filter(({facts}) => usesKbs(facts.config))
  forgetMerged(seals)
  if (folder === null || asking.length === 0) return null
  const parent = dirname(folder)
  const output = await openOutput(folder)
  const found = await Promise.all(
    asking.map(async ({path, facts}) => ({
      ...facts,
      folder: relative(parent, path),
      manifestSha256: await sha256File(join(path, 'manifest.json')),
    })),
  )
  await runTasks(await planTrusteeFolder(output.partial, () => Promise.resolve(found)), context)
  await output.publish()
  return output.path
}
