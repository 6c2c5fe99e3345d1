import type {Config} from '../config/index.js'
import {CcError} from '../errors/index.js'

/** What the keys of an image belong to. */
export interface KeyOwner {
  /** Name of the image directory. */
  image: string
  /** The site that the image is for; null before the third stage. */
  site: string | null
  /** Name of a root that several images share, and whose key is one for all of them. */
  sharedRoot?: string
}

/** A key that the broker holds, and where. */
export interface KeyPath {
  partition: string
  /** REPOSITORY/TYPE/TAG */
  path: string
}

/** A path as Trustee accepts it (ResourceDesc of its key broker). */
const trusteePath = /^([A-Za-z0-9_-][A-Za-z0-9_.-]*\/){2}[A-Za-z0-9_-][A-Za-z0-9_.-]*$/

/** The name of the root in the paths of a broker: one root, one key, one path. */
export const rootName = ({image, site, sharedRoot}: KeyOwner): string => sharedRoot ?? site ?? image

/** What a key opens: the root for cc-root; the site, if there is one, for what belongs to it alone. */
const ownerOf = (partition: string, owner: KeyOwner) =>
  partition === 'cc-root' ? rootName(owner) : (owner.site ?? owner.image)

/**
 * Where the broker holds the key of a partition.
 * @throws E_CONFIG where the path is not one that Trustee accepts
 */
export function keyPath({resource}: Pick<Config['kbs'], 'resource'>, partition: string, owner: KeyOwner): string {
  const values = {owner: ownerOf(partition, owner), image: owner.image, site: owner.site ?? owner.image, partition}
  const path = resource.replace(/\{(owner|image|site|partition)\}/g, (_, name: keyof typeof values) => values[name])
  if (trusteePath.test(path)) return path
  throw new CcError('E_CONFIG', `kbs.resource: '${path}' is not a path that Trustee accepts`, {
    suggestions: ["use three parts of letters, digits, '_', '-' and '.', like default/site-1/{partition}"],
  })
}

/**
 * Where the broker holds the keys of an image, cc-root first.
 * @throws E_CONFIG where two partitions would share a path, or a path is not one that Trustee accepts
 */
export function keyPaths({layout, kbs}: Pick<Config, 'layout' | 'kbs'>, owner: KeyOwner): KeyPath[] {
  const names = Object.keys(layout.partitions).filter((name) => layout.partitions[name]?.key === 'kbs')
  names.sort((one, other) => Number(other === 'cc-root') - Number(one === 'cc-root'))
  const paths = names.map((partition) => ({partition, path: keyPath(kbs, partition, owner)}))
  refuseShared(paths.map(({partition, path}) => ({key: partition, label: partition, path})))
  return paths
}

/** A key of one of the images of a run. */
export interface ClaimedPath {
  /** What tells the key from others: two claims of one key may name one path. */
  key: string
  /** What people know it as. */
  label: string
  path: string
}

/**
 * Refuse two keys at one path: the second upload would replace the first key, and its image would not start any more.
 * @throws E_CONFIG that names both
 */
export function refuseShared(claims: readonly ClaimedPath[]): void {
  const first = new Map<string, ClaimedPath>()
  for (const claim of claims) {
    const other = first.get(claim.path) ?? claim
    first.set(claim.path, other)
    if (other.key === claim.key) continue
    throw new CcError(
      'E_CONFIG',
      `kbs.resource: '${claim.path}' would hold the keys of ${other.label} and ${claim.label}`,
      {
        suggestions: ['use {owner} and {partition} in kbs.resource, or give each site a name of its own'],
      },
    )
  }
}

/**
 * Refuse a run whose images would share a path of the broker.
 * @throws E_CONFIG that names the path and the keys
 */
export function refuseSharedPaths(images: readonly {config: Pick<Config, 'layout' | 'kbs'>; owner: KeyOwner}[]): void {
  const claims = images.flatMap(({config, owner}) =>
    keyPaths(config, owner).map(({partition, path}) => {
      const shared = partition === 'cc-root' && owner.sharedRoot !== undefined
      const of = shared ? owner.sharedRoot : `${owner.image} ${owner.site ?? ''}`.trimEnd()
      return {key: JSON.stringify([partition, shared, of]), label: `${partition} of ${String(of)}`, path}
    }),
  )
  refuseShared(claims)
}
