import {z} from 'zod'

import {callStep, planStep} from '../steps/index.js'
import type {InstallSource} from './catalog.js'
import type {IsoSource} from './inspect.js'

/** Names of the packages that a live-server ISO has. */
export interface IsoPackages {
  /** What can be installed from its pool. */
  pool: ReadonlySet<string>
  /** What the chosen source has installed; null: the ISO does not say. */
  installed: ReadonlySet<string> | null
}

const reportSchema = z.strictObject({pool: z.array(z.string()), installed: z.array(z.string()).nullable()})

/**
 * Read the index of the pool, and the manifests of a source's layers.
 * @throws E_ISO_KIND for an ISO without an index
 */
export async function listIsoPackages(
  iso: IsoSource,
  {layers}: InstallSource,
  signal?: AbortSignal,
): Promise<IsoPackages> {
  const step = await planStep('source/list-iso', {iso: iso.path, suite: iso.codename, layer: layers})
  const {pool, installed} = reportSchema.parse(JSON.parse(await callStep(step, {signal})))
  return {pool: new Set(pool), installed: installed === null ? null : new Set(installed)}
}
