import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import {atomicWrite} from '../fs/index.js'
import {encodeManifest, type ImageDirectory} from '../manifest/index.js'
import {lock} from '../fs/index.js'
import {callStep, stepTitle} from '../steps/index.js'
import {reportStep, type Reporter} from '../ui/index.js'
import {renewStatements} from './statements.js'
import {manifestTitle, planGrow, type GrowPlan, type GrowRequest, type Growth} from './plan.js'

export interface GrowContext {
  reporter: Reporter
  signal?: AbortSignal | undefined
}

export interface GrowResult {
  /** The image as it is now. */
  image: ImageDirectory
  /** False where it was as large already. */
  changed: boolean
  disk: Growth
  partition: Growth & {name: string}
  ms: number
}

/**
 * Grow the disk of an image and the partition that takes the rest of it, in place. The file system follows when the
 * image is booted next. The time does not depend on the size: content is neither read nor moved.
 *
 * Whenever this is cut off the image is whole, with the old size or the new one, and the same call brings it to its end.
 * @throws what planGrow throws; nothing is changed then
 */
export async function growImage(request: GrowRequest, {reporter, signal}: GrowContext): Promise<GrowResult> {
  const started = Date.now()
  const result = ({image, manifest, disk, partition, steps}: GrowPlan): GrowResult => ({
    image: {...image, manifest},
    changed: steps.length > 0,
    ...{disk, partition},
    ms: Date.now() - started,
  })
  const first = await planGrow(request, signal)
  if (first.steps.length === 0) return result(first)

  const unlock = await lockImage(first.image)
  try {
    const plan = await planGrow(request, signal)
    if (plan.steps.length > 0) await run(plan, {reporter, signal})
    return result(plan)
  } finally {
    await unlock()
  }
}

async function run(plan: GrowPlan, {reporter, signal}: GrowContext): Promise<void> {
  const {image, manifest, steps, warnings} = plan
  const started = Date.now()
  reporter.report({
    type: 'stage-start',
    stage: 'resize',
    title: `grow ${image.path}`,
    steps: [
      ...steps.map((step) => ({id: step.id, title: stepTitle(step)})),
      {id: 'disk/grow-manifest', title: manifestTitle(plan)},
    ],
  })
  for (const text of warnings) reporter.report({type: 'warning', text})
  for (const step of steps) await reportStep(reporter, step.id, (onLine) => callStep(step, {signal, onLine}))
  await reportStep(reporter, 'disk/grow-manifest', async () => {
    const text = encodeManifest(manifest)
    // First, so that a call that is cut off between them finds something to do.
    await renewStatements(image, text)
    await atomicWrite(image.file('manifest.json'), text)
  })
  reporter.report({type: 'stage-done', stage: 'resize', ms: Date.now() - started})
}

/** Two resizes of one image would mix their steps. */
async function lockImage({path}: ImageDirectory): Promise<() => Promise<void>> {
  try {
    return await lock(join(path, '.resize.lock'))
  } catch (error) {
    if (!CcError.is(error)) throw error
    throw new CcError('E_LOCKED', `${path} is being resized by another process`, {
      suggestions: ['wait for it to end'],
      reason: error,
    })
  }
}
