import type {Config} from '../config/index.js'
import type {DiskLayout} from '../layout/index.js'
import {describeFile, type Manifest, type ManifestPartition} from '../manifest/index.js'
import {readVerity, type Filled} from './content.js'

/** The partitions of a manifest. Reads what planContent has made, as it lies on the disk. */
export async function describePartitions(
  plan: DiskLayout,
  partitions: Config['layout']['partitions'],
  filled: readonly Filled[],
): Promise<ManifestPartition[]> {
  const verity = await readVerity(filled)
  return Promise.all(
    plan.partitions.flatMap(({name, startBytes, sizeBytes}) => {
      const partition = partitions[name]
      if (partition === undefined) return []
      const data = filled.find((candidate) => candidate.name === name)?.files.data
      return [
        (async () => ({
          name,
          start: startBytes,
          size: sizeBytes,
          mount: partition.mount,
          encryption: partition.encryption,
          integrity: partition.integrity,
          key: partition.key,
          grow: partition.grow,
          from: partition.mount === '/' ? '/' : partition.from,
          content: data === undefined ? null : await describeFile(data),
          verity: verity[name] ?? null,
        }))(),
      ]
    }),
  )
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
