import {createHash} from 'node:crypto'
import {mkdir, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {parseConfig, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import type {Manifest} from '../manifest/index.js'
import {planStep, scriptsDirectory, stepTask, writeTask, type Task} from '../steps/index.js'
import {trusteeFiles, type ImageFacts, type KeyOwner, type TrusteeImage} from '../trustee/index.js'
import type {SealRequest} from './seal.js'

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

/** What HOST_DATA depends on. */
type HostDataRequest = Pick<SealRequest, 'name' | 'stage' | 'buildKey' | 'config'>

/**
 * HOST_DATA that a launch may have: what is configured, else the identity of the image. It is part of the report, so that a
 * verifier sees for which site and build the machine was started (SEV-SNP firmware ABI, SNP_LAUNCH_FINISH).
 * @returns 32 bytes each in hexadecimal, the default first; none: any
 */
export function hostDataOf({name, stage, buildKey, config}: HostDataRequest): string[] {
  const {hostData} = config.kbs.policy
  if (hostData === 'any') return []
  const identity = JSON.stringify(['HOST_DATA', name, stage, config.hardening.site, buildKey])
  return hostData ?? [createHash('sha256').update(identity).digest('hex')]
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
  const owner = keyOwner({name, config, shared: shared?.name})
  return {config, owner, guestPolicy: launch.policy, hostData: launch.hostData ?? [], measurement}
}

/**
 * The folder trustee of an image directory: what makes the key release of an image right. Like the folder keys it is for
 * its builder, not for the host that runs the image, and no part of the manifest: all of it follows from there.
 * @param measured what the launch is expected to measure, after the tasks before
 */
export async function planTrustee(
  request: HostDataRequest & Pick<SealRequest, 'shared'>,
  target: string,
  measured: () => Promise<Manifest['measurement']>,
): Promise<Task[]> {
  const {name, config, shared} = request
  if (!usesKbs(config)) return []
  return planTrusteeFolder(join(target, 'trustee'), async () => {
    const owner = keyOwner({name, config, shared})
    const hostData = hostDataOf(request)
    return [{config, owner, guestPolicy: config.launch.policy, hostData, measurement: await measured()}]
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
