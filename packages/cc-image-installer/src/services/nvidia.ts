import {join} from 'node:path'

import type {Config} from 'cc-core/config'
import type {DistroProfile} from 'cc-core/distro'
import {CcError} from 'cc-core/errors'
import {checkHostMirrors} from 'cc-core/host'
import {sha256File} from 'cc-core/manifest'
import {planStep, scriptsDirectory, type PlannedStep, type StepValue, type Task} from 'cc-core/steps'

import {checkFile, downloadKey} from './downloads.js'
import {packageParameters, type Extras, type ExtrasRequest} from './extras.js'

/** What the plan of a part consists of. */
export type Part = Pick<Extras, 'steps' | 'bootSteps' | 'downloads'>

/**
 * Plan NVIDIA's driver and CUDA.
 * @throws E_CONFIG for a configuration that cannot work, E_SHA256 for a package file that is another
 */
export async function planNvidia(request: ExtrasRequest): Promise<Part> {
  const {config, profile, folders, workDir} = request
  const {nvidia, attestation} = config
  const downloads: Task[] = []
  const steps: Promise<PlannedStep>[] = []
  if (nvidia.enabled) {
    await checkNvidia(config, profile)
    const {repository} = nvidia
    const key = repository === null ? null : await downloadKey(workDir, 'key of nvidia.repository', repository)
    if (key !== null) downloads.push(key.task)
    const patches = [...profile.nvidia.patches.map((name) => join(scriptsDirectory(), name)), ...nvidia.patches]
    const {signing} = nvidia
    const files = [
      ...patches,
      ...(signing.key === null || signing.certificate === null ? [] : [signing.key, signing.certificate]),
    ]
    steps.push(
      planStep(
        'base/14-nvidia',
        {
          ...onlineParameters(request),
          ...driverPackages(config, profile),
          version: driverVersion(config, profile) ?? undefined,
          patch: builds(config, profile) ? patches : [],
          deb: nvidia.debs.map(({file}) => file),
          ...(key !== null && {repository: repository?.source, 'repository-key': key.path}),
          'sign-key': signing.key ?? undefined,
          'sign-certificate': signing.certificate ?? undefined,
          cache: join(workDir, 'modules'),
          work: join(folders.root, 'nvidia'),
        },
        {
          inputs: [...(await Promise.all(files.map(sha256File))), ...nvidia.debs.map(({sha256}) => sha256)],
          checkpoint: true,
        },
      ),
    )
  }

  const cuda = cudaPackages(config, profile)
  if (cuda.length > 0) {
    const repository = nvidia.cuda.repository ?? profile.cuda.repository
    const key = repository === null ? null : await downloadKey(workDir, 'key of nvidia.cuda.repository', repository)
    if (key !== null) downloads.push(key.task)
    steps.push(
      planStep(
        'base/16-cuda',
        {
          ...onlineParameters(request),
          package: cuda,
          ...(key !== null && {repository: repository?.source, 'repository-key': key.path}),
        },
        {checkpoint: !nvidia.enabled || attestation.enabled},
      ),
    )
  }
  const boot = () =>
    planStep('base/55-gpu', {
      tree: folders.tree,
      'on-failure': nvidia.onFailure,
      attempts: 6,
      reset: nvidia.resetBeforeLoad,
    })
  return {downloads, steps, bootSteps: nvidia.enabled ? [boot()] : []}
}

/** Where packages come from that no ISO has: the configured mirrors, or those of a host of the same kind. */
function onlineParameters(request: ExtrasRequest): Record<string, StepValue> {
  const {config, profile} = request
  return {
    ...packageParameters(request),
    ...(config.source.mirrors.length === 0 && {
      'host-suite': profile.codename,
      'host-components': profile.components.join(' '),
    }),
  }
}

/** Whether modules are built here, and not taken from the distribution. */
function builds({nvidia}: Config, profile: DistroProfile): boolean {
  return nvidia.modules === 'dkms' || profile.nvidia.prebuilt.length === 0
}

/** Our version, unless another branch or archive is asked for: then the newest there. */
function driverVersion({nvidia}: Config, profile: DistroProfile): string | null {
  if (nvidia.version !== null) return nvidia.version
  return nvidia.branch === null && nvidia.repository === null && nvidia.debs.length === 0
    ? profile.nvidia.version
    : null
}

function driverPackages(config: Config, profile: DistroProfile): Record<string, StepValue> {
  const {nvidia} = config
  const branch = nvidia.branch ?? profile.nvidia.branch ?? ''
  const named = (names: readonly string[]) => names.map((name) => name.replaceAll('{branch}', branch))
  return {
    package: nvidia.packages ?? named(profile.nvidia.packages),
    probe: named([profile.nvidia.probe])[0] ?? '',
    ...(builds(config, profile) ? {build: named(profile.nvidia.build)} : {prebuilt: named(profile.nvidia.prebuilt)}),
  }
}

function cudaPackages({nvidia, attestation}: Config, profile: DistroProfile): string[] {
  const version = (nvidia.cuda.version ?? profile.cuda.version).replace('.', '-')
  const cuda = nvidia.enabled ? (nvidia.cuda.packages ?? profile.cuda.packages) : []
  const sdk = attestation.enabled && attestation.sdk.kind === 'nvattest' ? attestation.sdk.packages : []
  return [...cuda.map((name) => name.replaceAll('{cuda}', version)), ...sdk]
}

async function checkNvidia(config: Config, profile: DistroProfile): Promise<void> {
  const {nvidia, attestation} = config
  const wrong = (message: string, ...suggestions: string[]) => new CcError('E_CONFIG', message, {suggestions})
  if (!attestation.enabled && nvidia.onFailure === 'power-off') {
    throw wrong(
      'nvidia.enabled: true needs attestation.enabled: true: a GPU is made ready only after it was attested',
      'set attestation.enabled to true, or nvidia.onFailure to stop for a GPU that is never ready',
    )
  }
  if (nvidia.branch !== null && profile.nvidia.branch === null)
    throw wrong(
      `nvidia.branch: '${nvidia.branch}' is set, but driver packages of ${profile.id} have no branch in their names`,
      'set nvidia.version',
    )
  if (nvidia.modules === 'prebuilt' && profile.nvidia.prebuilt.length === 0)
    throw wrong(`nvidia.modules: ${profile.id} has no prebuilt modules`, 'set nvidia.modules to auto or dkms')
  await checkSigning(nvidia.signing)
  for (const {file, sha256} of nvidia.debs) await checkFile('nvidia.debs', file, sha256)
  for (const file of nvidia.patches) await checkFile('nvidia.patches', file, null)
  await checkHostMirrors(config, profile, 'nvidia.enabled: the driver comes')
}

async function checkSigning({key, certificate}: Config['nvidia']['signing']): Promise<void> {
  if ((key === null) !== (certificate === null))
    throw new CcError('E_CONFIG', 'nvidia.signing: key and certificate belong together, one of them is null')
  if (key === null || certificate === null) return
  await checkFile('nvidia.signing.certificate', certificate, null)
  await checkFile('nvidia.signing.key', key, null)
}
