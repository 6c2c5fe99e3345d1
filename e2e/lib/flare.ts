import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {buildOf, cc, folder, lab, type BuildJson} from './lab.js'

/** The FLARE image that the tests of hardened images share: made for the first of them, there already for the others. */
export async function flareImage(): Promise<BuildJson> {
  const path = join(lab().root, 'flare')
  const output = existsSync(path) ? path : folder('flare')
  return buildOf(await cc('nvflare-cc-builder', ['--image', lab().image, '--output', output, '--size', '6G', '--json']))
}
