import type {BuildPlan} from 'cc-core/build'
import {CcError} from 'cc-core/errors'

import type {HardeningPlan} from './hardening.js'

/**
 * One build for several sites: they share the tree, and each is an image of it.
 * @param plans one for each site, which differ in the site alone
 * @param sharedFolder where the root goes that all of them share; null: each is self-contained
 * @throws E_CONFIG where two sites need trees that differ
 */
export function joinSites(plans: readonly HardeningPlan[], sharedFolder: string | null): BuildPlan {
  const [first] = plans
  if (first === undefined) throw new CcError('E_USAGE', 'no site is named')
  if (plans.length === 1) return first.build
  const names = plans.map(({site}) => site.name)
  const keys = plans.map(({build}) => build.tree.keys.at(-1))
  const other = keys.findIndex((key) => key !== keys[0])
  if (other >= 0) {
    throw new CcError('E_CONFIG', `the site '${names[other] ?? ''}' needs another system than '${names[0] ?? ''}'`, {
      suggestions: ['sites of one run share all but role, name, start-up kit, ports, hosts, resolvers and disk keys'],
    })
  }
  const warnings = [...new Set(plans.flatMap(({build}) => build.warnings ?? []))]
  const seals = plans.flatMap(({build}) => build.seals)
  return {...first.build, title: `hardened images of ${names.join(', ')}`, seals, warnings, sharedFolder}
}
