import {mkdir, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {parseConfig, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import type {Manifest} from '../manifest/index.js'
import {planStep, scriptsDirectory, stepTask, writeTask, type Task} from '../steps/index.js'
import {trusteeFiles, type ImageFacts, type KeyOwner, type TrusteeImage} from '../trustee/index.js'

/** Programs of the folder trustee for who administers the key broker; sources in scripts/host. */
const trusteeScripts = {'upload.sh': 'upload_to_trustee.sh', 'revoke.sh': 'revoke_from_trustee.sh'} as const

/** Whether a key of the image comes from a key broker. */
export const usesKbs = ({layout}: Pick<Config, 'layout'>): boolean =>
  Object.values(layout.partitions).some(({key}) => key === 'kbs')

/**
 * What the keys of an image belong to.
 * @param shared the file of the root that it shares with others, by its name or path
 */
export function keyOwner({
  name,
  config,
  shared,
}: {
  name: string
  config: Pick<Config, 'hardening'>
  shared?: string | undefined
}): KeyOwner {
  const owner = {image: name, site: config.hardening.site}
  return shared === undefined ? owner : {...owner, sharedRoot: basename(shared, '.raw')}
}

/**
 * What the policy for the keys of an image depends on, from its manifest.
 * @throws E_IMAGE for one of an older version, which does not say how it is launched
 */
export function keyFacts(manifest: Manifest): ImageFacts {
  if (manifest.launch == null) {
    throw new CcError('E_IMAGE', `the manifest of ${manifest.name} does not say how the image is launched`, {
      suggestions: ['build it again with this version'],
    })
  }
  const config = parseConfig(manifest.config)
  const {name, launch, measurement, shared} = manifest
  return {config, owner: keyOwner({name, config, shared: shared?.name}), guestPolicy: launch.policy, measurement}
}

/**
 * The folder trustee of an image directory: what makes the key release of an image right. Like the folder keys it is for
 * its builder, not for the host that runs the image, and no part of the manifest: all of it follows from there.
 * @param measured what the launch is expected to measure, after the tasks before
 */
export async function planTrustee(
  {name, config, shared}: {name: string; config: Config; shared?: string | undefined},
  target: string,
  measured: () => Promise<Manifest['measurement']>,
): Promise<Task[]> {
  if (!usesKbs(config)) return []
  return planTrusteeFolder(join(target, 'trustee'), async () => {
    const owner = keyOwner({name, config, shared})
    return [{config, owner, guestPolicy: config.launch.policy, measurement: await measured()}]
  })
}

/**
 * A folder trustee for any number of images.
 * @param images what is known of them, after the tasks before
 */
export async function planTrusteeFolder(folder: string, images: () => Promise<TrusteeImage[]>): Promise<Task[]> {
  const write = writeTask('seal/trustee', `write the resource policy and its companions in ${folder}`, async () => {
    const files = trusteeFiles(await images())
    await mkdir(folder, {recursive: true})
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  })
  const scripts = Object.entries(trusteeScripts).map(async ([file, source]) => {
    const script = join(scriptsDirectory(), 'host', source)
    return stepTask(await planStep('boot/make-host-script', {script, output: join(folder, file)}), file)
  })
  return [write, ...(await Promise.all(scripts))]
}
