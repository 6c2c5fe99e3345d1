import type {Config} from 'cc-core/config'
import type {DistroProfile} from 'cc-core/distro'
import {CcError} from 'cc-core/errors'
import type {IsoPackages} from 'cc-core/source'

/** The kernel of a build, and what to tell about it. */
export interface KernelChoice {
  package: string
  warnings: string[]
}

/**
 * Choose the kernel package: the configured one; else the default one where the ISO or a mirror has it. A GPU needs one
 * with DRM, and its driver is online, so that the kernel for it may be as well.
 * @param iso what the ISO has; null: a mirror has everything
 * @throws E_CONFIG for a production image with a kernel that cannot run as an SNP guest
 */
export function chooseKernel(config: Config, profile: DistroProfile, iso: IsoPackages | null): KernelChoice {
  const {os, nvidia, source} = config
  const {defaultKernel, fallbackKernel} = profile
  const wanted = os.kernel ?? (nvidia.enabled ? profile.nvidia.kernel : defaultKernel)
  const online = iso === null || nvidia.enabled || source.mirrors.length > 0
  const lacks = os.kernel === null && fallbackKernel !== null && !online && !iso.pool.has(wanted)
  const chosen = lacks ? fallbackKernel : wanted
  if (!profile.kernelsWithoutSnp.includes(chosen)) return {package: chosen, warnings: []}

  const why = `'${chosen}' of ${profile.id} cannot run as an SNP guest`
  const advice = lacks
    ? `this ISO has no '${wanted}': take a later point release, or name a mirror: source.mirrors`
    : `set os.kernel to ${profile.snpKernels.join(' or ')}`
  if (config.profile === 'production')
    throw new CcError('E_CONFIG', `os.kernel: ${why}, and profile 'production' refuses it`, {suggestions: [advice]})
  return {package: chosen, warnings: [`the kernel ${why}; ${advice}`]}
}
