import {existsSync} from 'node:fs'

import type {ImageDirectory} from '../manifest/index.js'

/**
 * The keys that a host hands out for an image of the key source `development`, by partition.
 * @param rootKey of cc-root; null: the host hands out none
 */
export function developmentKeys({manifest, file}: ImageDirectory, rootKey: string | null): Record<string, string> {
  if (rootKey === null) return {}
  const keys: Record<string, string> = {'cc-root': rootKey}
  for (const {name, key} of manifest.partitions) {
    const own = file(`keys/${name.replace(/^cc-/, '')}.key`)
    if (name !== 'cc-root' && key === 'development' && existsSync(own)) keys[name] = own
  }
  return keys
}
