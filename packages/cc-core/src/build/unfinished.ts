import {existsSync} from 'node:fs'
import {readFile, rm} from 'node:fs/promises'
import {basename, isAbsolute, join, normalize} from 'node:path'

import {atomicWrite} from '../fs/index.js'
import {callStep, planStep} from '../steps/index.js'
import type {WorkFolders} from './folders.js'

/**
 * The list of folders that hold secrets while a build runs: kits, keys, the system before it is encrypted. It lies in the
 * work folder before any of them is made, so that the next run finds what a killed one has left, wherever that was to go.
 */
const listFile = ({root}: WorkFolders) => join(root, 'unfinished.json')

/**
 * Write down which folders will hold secrets. The caller has the lock of the work folder.
 * @param paths absolute; below the work folder of the stage, or the unfinished form of an output folder
 */
export async function noteUnfinished(folders: WorkFolders, paths: readonly string[]): Promise<void> {
  await atomicWrite(listFile(folders), `${JSON.stringify(paths)}\n`, 0o600)
}

/**
 * Remove what was written down, and all in it, whoever it belongs to. It takes no signal: an abort is the reason why it
 * is called, and must not end it. The caller has the lock of the work folder.
 * @param keep paths that stay, since they are whole
 */
export async function removeUnfinished(folders: WorkFolders, keep: readonly string[] = []): Promise<void> {
  const file = listFile(folders)
  const noted = await readNoted(file)
  await removeSecrets(noted.filter((path) => !keep.includes(path) && isOurs(path, folders)))
  await rm(file, {force: true})
}

/** Remove folders or files, whoever they belong to, and whether or not the run was aborted. */
export async function removeSecrets(paths: readonly string[]): Promise<void> {
  const removed = await Promise.allSettled(paths.map(removeAny))
  for (const result of removed) if (result.status === 'rejected') throw result.reason as Error
}

/** A list that is damaged names nothing: the folders of this run are noted again before they are made. */
async function readNoted(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '[]')
  try {
    const paths: unknown = JSON.parse(text)
    return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : []
  } catch {
    return []
  }
}

/** Nothing else is ever removed, whatever the file says. */
function isOurs(path: string, {root}: WorkFolders): boolean {
  if (!isAbsolute(path) || normalize(path) !== path) return false
  return path.startsWith(`${root}/`) || /^\..+\.partial$/.test(basename(path))
}

/** What steps have made may belong to subordinate ids, which only their namespace can remove. */
async function removeAny(path: string): Promise<void> {
  await rm(path, {recursive: true, force: true}).catch(() => undefined)
  if (existsSync(path)) await callStep(await planStep('tree/remove', {tree: path}))
}
