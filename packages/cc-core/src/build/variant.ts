import {join} from 'node:path'

import {parseConfig, type Config, type Partition} from '../config/index.js'
import {mkdirp} from '../fs/index.js'
import {espName} from '../layout/index.js'
import {readImageDirectory, type ImageDirectory, type Manifest, type ManifestPartition} from '../manifest/index.js'
import {openOutput, planOpen, planSeal} from '../seal/index.js'
import {planStep, stepTask, type PlannedStep, type TaskContext} from '../steps/index.js'
import {runTasks} from './tree.js'

export interface VariantRequest {
  image: ImageDirectory
  /** The key of its cc-root; the variant has the same. */
  rootKey: string
  /** What is different: steps on the opened tree. */
  change: (tree: string) => Promise<PlannedStep[]>
  /** What it is sealed by. By default it has the partitions and the command line of the image, whatever its configuration says. */
  config?: Config
  /** A folder for the variant and for what it takes to make it. */
  folder: string
}

/** Open an image, change it, and seal it again beside itself: for tests that need something in the guest. */
export async function makeVariant(
  {image, rootKey, change, folder, config}: VariantRequest,
  context: Omit<TaskContext, 'logDir'>,
): Promise<ImageDirectory> {
  const {manifest} = image
  const path = (name: string) => join(folder, name)
  const tree = path('tree')
  mkdirp(path('logs'))
  const taskContext = {...context, logDir: path('logs'), places: [folder]}
  const output = await openOutput(path(manifest.name))
  await runTasks(await planOpen({image, rootKey, tree}, path('open')), taskContext)
  await runTasks(
    (await change(tree)).map((step) => stepTask(step)),
    taskContext,
  )
  const {name, stage, distribution, source, sourceDateEpoch, tool, buildKey} = manifest
  const facts = {name, stage, distribution, source, sourceDateEpoch, tool, buildKey}
  const asSealed = config === undefined ? {config: configOf(manifest), cmdline: manifest.cmdline} : {config}
  await runTasks(await planSeal({...facts, ...asSealed, tree, rootKey, aliases: []}, path('seal'), output), taskContext)
  await runTasks([stepTask(await planStep('tree/remove', {tree}))], taskContext)
  await output.publish()
  return readImageDirectory(output.path)
}

/** The configuration of an image with the partitions that it has: a copy must not mend what the build did wrong. */
function configOf({config: written, profile, partitions}: Manifest): Config {
  const config = parseConfig(written)
  const known = Object.keys(config.layout.partitions)
  const rank = ({name}: ManifestPartition) => (known.includes(name) ? known.indexOf(name) : known.length)
  const own = partitions.filter(({name}) => name !== espName).sort((a, b) => rank(a) - rank(b))
  const entries = own.map(({name, size, key, from, ...one}): [string, Partition] => {
    const {mount, encryption, integrity, grow, filesystem = 'ext4'} = one
    const fallback = {size, compressionLevel: 1, keyFile: null, plainAllowed: false, mountOptions: []}
    const source = from === '/' ? null : from
    const sealed = {mount, encryption, integrity, filesystem, grow, key: key as Partition['key'], from: source}
    return [name, {...fallback, ...config.layout.partitions[name], ...sealed}]
  })
  return {...config, profile, layout: {...config.layout, partitions: Object.fromEntries(entries)}}
}
