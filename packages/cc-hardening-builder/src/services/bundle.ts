import {join} from 'node:path'

import {readImage} from 'cc-core/seal'
import {callStep, planStep, scriptsDirectory} from 'cc-core/steps'

export interface BundleOptions {
  /** The image directory. */
  image: string
  site: string
  /** The folder for the bundle. */
  outputDir: string
  workDir: string
  /** GiB of the disk for the log of FLARE; null: none goes along. */
  logGiB: number | null
  signal?: AbortSignal | undefined
}

/**
 * Pack the image of a site as NVIDIA's deployment guide has it: one archive with the folder cvm_SITE. The keys of a
 * production image stay behind.
 * @returns the path of the archive
 */
export async function makeBundle({image, site, outputDir, workDir, logGiB, signal}: BundleOptions): Promise<string> {
  const {manifest} = await readImage(image, workDir, signal)
  const name = `cvm_${site}`
  const output = join(outputDir, `${name}.tgz`)
  const host = join(scriptsDirectory(), 'host')
  const step = await planStep('bundle/make-bundle', {
    ...{image, name, output, launcher: join(host, 'launch_vm.sh'), readme: join(host, 'bundle-readme.txt')},
    ...{'log-size': logGiB ?? undefined, keys: manifest.profile === 'development'},
    'source-date-epoch': manifest.sourceDateEpoch,
  })
  await callStep(step, {signal, logFile: join(workDir, 'hardened/logs', `bundle-${site}.log`)})
  return output
}
