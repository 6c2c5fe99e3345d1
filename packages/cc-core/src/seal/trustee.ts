import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Config} from '../config/index.js'
import type {Manifest} from '../manifest/index.js'
import {planStep, scriptsDirectory, stepTask, writeTask, type Task} from '../steps/index.js'
import {trusteeFiles, type KeyOwner} from '../trustee/index.js'

/** Programs of the folder trustee for who administers the key broker; sources in scripts/host. */
const trusteeScripts = {'upload.sh': 'upload_to_trustee.sh', 'revoke.sh': 'revoke_from_trustee.sh'} as const

/** Whether a key of the image comes from a key broker. */
export const usesKbs = ({layout}: Pick<Config, 'layout'>): boolean =>
  Object.values(layout.partitions).some(({key}) => key === 'kbs')

/** What the keys of an image belong to. A root that several images share is to be named here. */
export const keyOwner = ({name, config}: {name: string; config: Pick<Config, 'hardening'>}): KeyOwner => ({
  image: name,
  site: config.hardening.site,
})

/**
 * The folder trustee of an image directory: what makes the key release of an image right. Like the folder keys it is for
 * its builder, not for the host that runs the image, and no part of the manifest: all of it follows from there.
 * @param measured what the launch is expected to measure, after the tasks before
 */
export async function planTrustee(
  {name, config}: {name: string; config: Config},
  target: string,
  measured: () => Promise<Manifest['measurement']>,
): Promise<Task[]> {
  if (!usesKbs(config)) return []
  const folder = join(target, 'trustee')
  const write = writeTask('seal/trustee', `write the resource policy and its companions in ${folder}`, async () => {
    const owner = keyOwner({name, config})
    const files = trusteeFiles([{config, owner, guestPolicy: config.launch.policy, measurement: await measured()}])
    await mkdir(folder, {recursive: true})
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  })
  const scripts = Object.entries(trusteeScripts).map(async ([file, source]) => {
    const script = join(scriptsDirectory(), 'host', source)
    return stepTask(await planStep('boot/make-host-script', {script, output: join(folder, file)}), file)
  })
  return [write, ...(await Promise.all(scripts))]
}
