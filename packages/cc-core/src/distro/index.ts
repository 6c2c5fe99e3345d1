import type {DistributionId} from '../config/index.js'
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
  const id = `${fieldOf(osRelease, 'ID')}-${fieldOf(osRelease, 'VERSION_ID')}`
  const profile = Object.values(profiles).find((candidate) => candidate.id === id)
  if (profile !== undefined) return profile
  throw new CcError('E_CONFIG', `distribution: auto stands for that of the host, and '${id}' is not supported`, {
    suggestions: [`set distribution to one of ${Object.keys(profiles).join(', ')}`],
  })
}

/**
 * Whose archive the host's own mirrors have: that of Ubuntu or Debian too for a system that is made from one of them.
 * The step source/mirror (apt_host_codename) decides in the same way.
 * @param osRelease the text of /etc/os-release
 * @returns null for a system that is made from neither
 */
export function archiveOfHost(osRelease: string): DistroProfile['os'] | null {
  const id = fieldOf(osRelease, 'ID')
  if (id === 'ubuntu' || id === 'debian') return id
  if (fieldOf(osRelease, 'UBUNTU_CODENAME') !== '') return 'ubuntu'
  return fieldOf(osRelease, 'DEBIAN_CODENAME') === '' ? null : 'debian'
}

const fieldOf = (osRelease: string, name: string) =>
  new RegExp(`^${name}=["']?(.*?)["']?$`, 'm').exec(osRelease)?.[1] ?? ''
