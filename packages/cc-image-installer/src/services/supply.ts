import type {Config} from 'cc-core/config'
import type {DistroProfile} from 'cc-core/distro'
import {CcError} from 'cc-core/errors'
import {hostArchive} from 'cc-core/host'
import type {IsoPackages} from 'cc-core/source'

/**
 * Find out whether the packages of a build can be had, and whether the mirrors of this host are asked for them: in a
 * mirror build, for a driver (never on an ISO, and neither is the kernel that it needs), and for what an ISO lacks where
 * the host is of the same kind.
 * @param packages names, or name=version
 * @param iso what the ISO has; null: there is none
 * @throws E_PACKAGE naming what neither the ISO nor a mirror has
 */
export async function planSupply(
  config: Config,
  profile: DistroProfile,
  iso: IsoPackages | null,
  packages: readonly string[],
): Promise<boolean> {
  const {source, nvidia} = config
  if (source.mirrors.length > 0) return false
  if (iso === null || nvidia.enabled) return true
  const missing = missingPackages(iso, packages)
  if (missing.length === 0) return false
  const host = await hostArchive()
  if (host === profile.os) return true
  const from = source.installSource === null ? 'the default source' : `the source '${source.installSource}'`
  throw new CcError('E_PACKAGE', `neither ${from} of the ISO nor its pool has '${missing.join("', '")}'`, {
    suggestions: [
      `name a mirror of ${profile.id}: source.mirrors (those of this host are for ${host})`,
      'or install another source of the ISO: source.installSource',
    ],
  })
}

/** What an ISO is known to lack. Without a manifest of its layers apt has to find out. */
export function missingPackages({pool, installed}: IsoPackages, packages: readonly string[]): string[] {
  if (installed === null) return []
  return packages.filter((item) => {
    const name = item.replace(/[=/].*$/, '').replace(/:[a-z0-9]+$/, '')
    return !pool.has(name) && !installed.has(name)
  })
}
