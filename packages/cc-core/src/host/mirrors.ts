import {readFile} from 'node:fs/promises'

import type {Config} from '../config/index.js'
import {archiveOfHost, type DistroProfile} from '../distro/index.js'
import {CcError} from '../errors/index.js'

/**
 * Check that the mirrors that a build asks have the distribution: without `source.mirrors` they are the host's own.
 * @param what needs them, for the message
 * @param otherwise what else can be done
 * @throws E_CONFIG naming whose mirrors the host has
 */
export async function checkHostMirrors(
  {source}: Config,
  profile: DistroProfile,
  what: string,
  ...otherwise: string[]
): Promise<void> {
  if (source.mirrors.length > 0) return
  const host = await hostArchive()
  if (host === profile.os) return
  const word = `the archive of ${profile.os}, and the mirrors of this host are those of ${host}`
  throw new CcError('E_CONFIG', `${what} from ${word}`, {
    suggestions: [`name a mirror of ${profile.id}: source.mirrors`, ...otherwise],
  })
}

/** Whose archive the mirrors of this host have. */
export async function hostArchive(): Promise<string> {
  return archiveOfHost(await readFile('/etc/os-release', 'utf8')) ?? 'another system'
}
