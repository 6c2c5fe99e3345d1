import {basename, dirname, join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {readImage} from 'cc-core/seal'
import {callStep, planStep, scriptsDirectory} from 'cc-core/steps'

export interface BundleOptions {
  /** The image directory. */
  image: string
  site: string
  workDir: string
  /** GiB of the disk for the log of FLARE; null: none goes along. */
  logGiB: number | null
  signal?: AbortSignal | undefined
}

/**
 * Check the folder of a bundle before anything is built: OnPremPackager takes the path of the bundle from a line of our
 * output, up to the first space, and the name of the site becomes that of a folder.
 * @param outputDir the folder of the site; its last part is the name of the site
 * @throws E_USAGE
 */
export function checkBundlePath(outputDir: string): void {
  const [wrong] = /\s/.exec(outputDir) ?? /[^A-Za-z0-9@._-]/.exec(basename(outputDir)) ?? []
  if (wrong === undefined) return
  throw new CcError('E_USAGE', `nvflare provision cannot take a bundle from '${outputDir}', which has a '${wrong}'`, {
    suggestions: [
      'choose another folder: --output DIR, or CC_OUTPUT',
      'give the site a name of letters, digits and @._- with hardening.site',
    ],
  })
}

/**
 * Pack the image of a site as NVIDIA's deployment guide has it: one archive with the folder cvm_SITE. The keys of a
 * production image stay behind.
 * @returns the path of the archive, beside the image directory
 */
export async function makeBundle({image, site, workDir, logGiB, signal}: BundleOptions): Promise<string> {
  const {manifest} = await readImage(image, workDir, signal)
  const name = `cvm_${site}`
  const output = join(dirname(image), `${name}.tgz`)
  const host = join(scriptsDirectory(), 'host')
  const step = await planStep('bundle/make-bundle', {
    ...{image, name, output, launcher: join(host, 'launch_vm.sh'), readme: join(host, 'bundle-readme.txt')},
    ...{'log-size': logGiB ?? undefined, keys: manifest.profile === 'development'},
    'source-date-epoch': manifest.sourceDateEpoch,
  })
  await callStep(step, {signal, logFile: join(workDir, 'hardened/logs', `bundle-${site}.log`)})
  return output
}
