import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

import {refuseColon, type Config} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {sha256File} from 'cc-core/manifest'
import {onceTask, planStep, stepTask, type Task} from 'cc-core/steps'

/** A file that a step reads, and the task that brings it: none where it is there already. */
export interface Download {
  path: string
  task: Task
}

type Repository = NonNullable<Config['nvidia']['repository']>

/** Where downloads are kept between builds, by what they are. */
const folderOf = (workDir: string) => join(workDir, 'downloads')

/** A file from a URL, kept by its sha256. */
export async function download(workDir: string, name: string, url: string, sha256: string): Promise<Download> {
  const path = join(folderOf(workDir), sha256)
  return {path, task: onceTask(stepTask(await planStep('source/fetch', {url, sha256, output: path}), name), path)}
}

/** The key of a package archive, from a file or a URL, kept by its fingerprint. */
export async function downloadKey(workDir: string, name: string, repository: Repository): Promise<Download> {
  const {key, fingerprint} = repository
  const path = join(folderOf(workDir), `${fingerprint}.asc`)
  const url = key.startsWith('/') ? pathToFileURL(key).href : key
  return {path, task: onceTask(stepTask(await planStep('source/fetch', {url, fingerprint, output: path}), name), path)}
}

/**
 * A program built from crates.io, kept by its version.
 * @throws E_CONFIG for a folder in which cargo cannot build
 */
export async function buildCrate(workDir: string, crate: string, version: string): Promise<Download> {
  refuseColon(workDir, 'cargo', 'or name a file or a URL: attestation.snpguest')
  const path = join(folderOf(workDir), `${crate}-${version}`)
  const step = await planStep('source/crate', {
    ...{crate, version, program: crate, output: path},
    cache: join(workDir, 'cargo'),
    work: join(workDir, `build-${crate}`),
  })
  return {path, task: onceTask(stepTask(step, crate), path)}
}

/**
 * Compare a file of the host with its sha256.
 * @param key of cc.yaml, for the message
 * @throws E_CONFIG where it cannot be read, E_SHA256 where it is another
 */
export async function checkFile(key: string, file: string, sha256: string | null): Promise<void> {
  let found: string
  try {
    found = await sha256File(file)
  } catch (error) {
    throw new CcError('E_CONFIG', `${key}: cannot read '${file}': ${(error as Error).message}`, {reason: error})
  }
  if (sha256 !== null && found !== sha256) {
    throw new CcError('E_SHA256', `${key}: sha256 of '${file}' is ${found}, not ${sha256}`, {
      suggestions: ['correct the sha256, or give the file that was meant'],
    })
  }
}
