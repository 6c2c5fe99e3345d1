import {join} from 'node:path'

import type {Config} from 'cc-core/config'
import type {DistroProfile} from 'cc-core/distro'
import type {Purpose} from 'cc-core/host'
import type {Manifest} from 'cc-core/manifest'
import type {WorkFolders} from 'cc-core/build'
import {planStep, type PlannedStep, type StepValue, type Task} from 'cc-core/steps'

import {readPatches} from './amd.js'
import {planAttestation} from './attestation.js'
import {planNvidia} from './nvidia.js'

/** What a plan of AMD's, NVIDIA's and the attestation parts needs to know. */
export interface ExtrasRequest {
  config: Config
  profile: DistroProfile
  /** The extracted ISO, from which packages come too. */
  pool: string | null
  folders: WorkFolders
  workDir: string
  sourceDateEpoch: number
}

/** What a configuration adds to the base image: hardware support and attestation. */
export interface Extras {
  /** What the host must be able to do. */
  needs: readonly Purpose[]
  /** Files that the steps read, from outside. */
  downloads: readonly Task[]
  /** Packages of the distribution. */
  packages: readonly string[]
  /** Steps behind the packages of the distribution, the costly first. */
  steps: readonly Promise<PlannedStep>[]
  /** Steps before the initrd is made. */
  bootSteps: readonly Promise<PlannedStep>[]
  /** What the manifest says of it. */
  seal: {amd?: Manifest['amd']; extra?: Readonly<Record<string, string>>}
}

/**
 * Plan what is added to the bare system. Looks at files of the host; writes nothing.
 * @throws E_CONFIG, E_SHA256
 */
export async function planExtras(request: ExtrasRequest): Promise<Extras> {
  const amd = await planAmd(request)
  const nvidia = await planNvidia(request)
  const attestation = await planAttestation(request)
  const downloads = [...nvidia.downloads, ...attestation.downloads]
  return {
    needs: [...new Set(['build' as const, ...amd.needs, ...(downloads.length === 0 ? [] : ['download' as const])])],
    downloads,
    packages: attestation.packages,
    // What takes longest first: a change of what stands behind it does not touch it.
    steps: [...amd.steps, ...nvidia.steps, ...attestation.steps],
    bootSteps: [...amd.bootSteps, ...nvidia.bootSteps, ...attestation.bootSteps],
    seal: {...amd.seal, ...attestation.seal},
  }
}

/** Parameters of every step that installs packages. */
export function packageParameters({
  config,
  profile,
  pool,
  folders,
  workDir,
  sourceDateEpoch,
}: ExtrasRequest): Record<string, StepValue> {
  const {source} = config
  return {
    tree: folders.tree,
    ...(pool === null ? {} : {pool, 'pool-suite': profile.codename}),
    ...(pool === null && source.mirrors.length === 0 ? {'host-suite': profile.codename} : {}),
    source: source.mirrors,
    keyring: source.keyring ?? undefined,
    archives: join(workDir, 'archives'),
    'source-date-epoch': sourceDateEpoch,
  }
}

async function planAmd(request: ExtrasRequest): Promise<Omit<Extras, 'packages' | 'downloads'>> {
  const {config, profile, folders} = request
  const {patches, sevGuest} = config.amd
  const entries = patches === null ? [] : await readPatches(patches)
  // Planned only where there is something to apply: a step refuses to be planned without what it needs.
  const apply = () =>
    planStep(
      'base/12-amd',
      {
        ...packageParameters(request),
        entry: entries.map(({name}) => join(patches ?? '', name)),
        work: join(folders.root, 'amd'),
      },
      {inputs: entries.map(({sha256}) => sha256), checkpoint: true},
    )
  const load = () =>
    planStep('base/52-sev-guest', {
      tree: folders.tree,
      needed: sevGuest === 'required',
      kernels: profile.snpKernels.join(', '),
    })
  return {
    needs: entries.length === 0 && !config.nvidia.enabled ? [] : ['patch'],
    steps: entries.length === 0 ? [] : [apply()],
    bootSteps: sevGuest === 'off' ? [] : [load()],
    seal: patches === null ? {} : {amd: entries},
  }
}
