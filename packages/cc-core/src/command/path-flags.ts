import {accessSync, constants, existsSync, statSync} from 'node:fs'
import {dirname, resolve} from 'node:path'

import {leastKeyBytes, refusePaths, type HostPath, type PathMeta} from '../config/index.js'
import {CcError} from '../errors/index.js'

/** What a flag or an argument names: something that is read, a key, a folder that is written to, or a file that is. */
export type NamedPath = Pick<PathMeta, 'kind'> | 'key' | 'output' | 'output-file'

const named = new WeakMap<object, NamedPath>()

/**
 * Say of a flag or an argument that its value is a path. Then it is checked before a command begins.
 * @returns the same flag
 */
export function names<T extends object>(what: NamedPath, flag: T): T {
  named.set(flag, what)
  return flag
}

/** What a flag or an argument names; undefined where it is not a path. */
export const namedBy = (flag: object): NamedPath | undefined => named.get(flag)

/**
 * Check the paths that a user has named, before anything is read or written. Something that is not there is left to
 * what says more of it, except for keys and folders.
 * @param flags by what the user knows them as, such as --image
 * @throws E_USAGE for what cannot be read or written, E_KEY for a key that is missing, too short, or not secret
 */
export function checkNamedPaths(flags: readonly {label: string; flag: object; value: unknown}[]): void {
  const all = flags.flatMap(({label, flag, value}) => {
    const what = namedBy(flag)
    return what === undefined
      ? []
      : [value].flat().flatMap((path) => (typeof path === 'string' ? [{label, what, path}] : []))
  })
  const keys: HostPath[] = []
  const inputs: HostPath[] = []
  for (const {label, what, path} of all) {
    const own = {key: label, path: resolve(path)}
    if (what === 'output') checkOutput(label, own.path, 'folder')
    else if (what === 'output-file') checkOutput(label, own.path, 'file')
    else if (what === 'key') keys.push({...own, kind: 'file', secret: true, leastBytes: leastKeyBytes})
    // Whether a file may be empty is for those to say who read it.
    else inputs.push({...own, kind: what.kind, leastBytes: 0})
  }
  refusePaths(inputs, {missing: false, code: 'E_USAGE'})
  const folders = inputs.filter(({kind}) => kind === 'folder')
  refusePaths(folders, {missing: true, code: 'E_USAGE'})
  refusePaths(keys, {missing: true, code: 'E_KEY'})
}

/** A folder or file that is made where it is missing: the first parent that is there is a folder we may write to. */
function checkOutput(label: string, path: string, kind: 'folder' | 'file'): void {
  const suggestions = [`name a ${kind} that may be written: ${label} ${kind === 'file' ? 'FILE' : 'DIR'}`]
  if (kind === 'file' && existsSync(path) && !statSync(path).isFile())
    throw new CcError('E_USAGE', `${label}: '${path}' is there, and is not a file`, {suggestions})
  let there = kind === 'file' ? dirname(path) : path
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  if (!statSync(there).isDirectory())
    throw new CcError('E_USAGE', `${label}: '${path}' cannot be made: '${there}' is not a folder`, {suggestions})
  try {
    accessSync(there, constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = (error as Error).message
    throw new CcError('E_USAGE', `${label}: '${path}' cannot be written to: ${reason}`, {suggestions, reason: error})
  }
}
