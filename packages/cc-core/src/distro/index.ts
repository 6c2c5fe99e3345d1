import type {DistributionId} from '../config/schema.js'
import {CcError} from '../errors/index.js'
import {debian12} from './debian-12.js'
import {debian13} from './debian-13.js'
import type {DistroProfile} from './profile.js'
import {ubuntu2204} from './ubuntu-22.04.js'
import {ubuntu2404} from './ubuntu-24.04.js'

export type {DistroProfile} from './profile.js'

/** The supported distributions by their id. */
export const profiles: Readonly<Record<DistributionId, DistroProfile>> = {
  'ubuntu-22.04': ubuntu2204,
  'ubuntu-24.04': ubuntu2404,
  'debian-12': debian12,
  'debian-13': debian13,
}

/** The profile with this codename (`noble`, `bookworm`), or null. */
export function profileByCodename(codename: string): DistroProfile | null {
  return Object.values(profiles).find((profile) => profile.codename === codename) ?? null
}

/**
 * The profile of the system that an os-release file describes.
 * @param osRelease the text of /etc/os-release
 * @throws CcError E_CONFIG when it is not a supported one
 */
export function profileOfHost(osRelease: string): DistroProfile {
  const field = (name: string) => new RegExp(`^${name}=["']?(.*?)["']?$`, 'm').exec(osRelease)?.[1] ?? ''
  const id = `${field('ID')}-${field('VERSION_ID')}`
  const profile = Object.values(profiles).find((candidate) => candidate.id === id)
  if (profile !== undefined) return profile
  throw new CcError('E_CONFIG', `distribution: auto stands for that of the host, and '${id}' is not supported`, {
    suggestions: [`set distribution to one of ${Object.keys(profiles).join(', ')}`],
  })
}
