import type {VerityParameters} from '../boot/index.js'
import type {Config} from '../config/index.js'
import {espName, type DiskLayout} from '../layout/index.js'
import type {Artefact, Manifest, ManifestPartition} from '../manifest/index.js'
import {describeEsp} from './esp.js'

/**
 * The partitions of a manifest.
 * @param contents by name, what was written, as it lies on the disk
 * @param verity by name, the parameters of the hash trees
 */
export function describePartitions(
  plan: DiskLayout,
  partitions: Config['layout']['partitions'],
  contents: Readonly<Record<string, Artefact>>,
  verity: Readonly<Record<string, VerityParameters>>,
): ManifestPartition[] {
  return plan.partitions.flatMap(({name, startBytes, sizeBytes}) => {
    if (name === espName) return [describeEsp(startBytes, sizeBytes, contents[name] ?? null)]
    const partition = partitions[name]
    if (partition === undefined) return []
    return [
      {
        name,
        start: startBytes,
        size: sizeBytes,
        mount: partition.mount,
        encryption: partition.encryption,
        integrity: partition.integrity,
        filesystem: partition.filesystem,
        key: partition.key,
        grow: partition.grow,
        from: partition.mount === '/' ? '/' : partition.from,
        content: contents[name] ?? null,
        verity: verity[name] ?? null,
      },
    ]
  })
}

/** The packages of a manifest, from what tree/list-packages prints. */
export function parsePackages(text: string): Manifest['packages'] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', version = '', architecture = ''] = line.split(' ')
      return {name, version, architecture}
    })
}
