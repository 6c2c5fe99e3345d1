import {join} from 'node:path'

import {parseConfig, type Config} from '../config/index.js'
import {mkdirp} from '../fs/index.js'
import {readImageDirectory, type ImageDirectory} from '../manifest/index.js'
import {openOutput, planOpen, planSeal} from '../seal/index.js'
import {planStep, stepTask, type PlannedStep, type TaskContext} from '../steps/index.js'
import {runTasks} from './tree.js'

export interface VariantRequest {
  image: ImageDirectory
  /** The key of its cc-root; the variant has the same. */
  rootKey: string
  /** What is different: steps on the opened tree. */
  change: (tree: string) => Promise<PlannedStep[]>
  /** What it is sealed by; the configuration of the image by default. */
  config?: Config
  /** A folder for the variant and for what it takes to make it. */
  folder: string
}

/** Open an image, change it, and seal it again beside itself: for tests that need something in the guest. */
export async function makeVariant(
  {image, rootKey, change, folder, config = parseConfig(image.manifest.config)}: VariantRequest,
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
  await runTasks(await planSeal({...facts, tree, config, rootKey, aliases: []}, path('seal'), output), taskContext)
  await runTasks([stepTask(await planStep('tree/remove', {tree}))], taskContext)
  await output.publish()
  return readImageDirectory(output.path)
}
