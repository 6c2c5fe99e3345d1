import {closeSync, openSync, statSync, type Stats} from 'node:fs'

import {CcError, type ErrorCode} from '../errors/index.js'
import {encodeConfig} from './load.js'
import {alternatives, childOf, isPathNode, pathNodes, type PathNode} from './path-nodes.js'
import type {Config} from './schema.js'
import {isPath, type PathMeta} from './values.js'

/** A path of this host that a configuration or a flag names. */
export interface HostPath extends Omit<PathMeta, 'unless'> {
  /** The key of cc.yaml, with the number of the element in a list; or the flag. */
  key: string
  path: string
}

/** Every path of this host in these sections of a configuration: the schema says which values are paths. */
export function pathsOf(config: Config, sections: readonly (keyof Config)[]): HostPath[] {
  const values = encodeConfig(config)
  return sections.flatMap((section) => below(childOf(pathNodes(), section), values[section], section))
}

function below(node: PathNode, value: unknown, key: string): HostPath[] {
  return alternatives(node).flatMap((one) => {
    if (isPathNode(one)) {
      const {kind, secret, leastBytes} = one
      return typeof value === 'string' && isPath(one, value)
        ? [{key, path: value, kind, ...(secret && {secret}), ...(leastBytes !== undefined && {leastBytes})}]
        : []
    }
    if (Array.isArray(value)) return value.flatMap((item, index) => below(one.items ?? {}, item, `${key}[${index}]`))
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, inner]) => below(childOf(one, name), inner, `${key}.${name}`))
  })
}

/**
 * Check that what a configuration names on this host can be read, before anything is read or written: a named pipe, for
 * example, would be waited for.
 * @param sections those that the command uses
 * @param missing whether something that is not there is refused here, too, or left to what says more of it
 * @throws E_CONFIG that names every problem at once; E_KEY where all are keys that are empty, short or not secret
 */
export function checkPaths(config: Config, sections: readonly (keyof Config)[], {missing}: {missing: boolean}): void {
  refusePaths(pathsOf(config, sections), {missing})
}

/**
 * The same for paths that were named in another way, as by a flag.
 * @param code of the error
 */
export function refusePaths(
  paths: readonly HostPath[],
  {missing, code = 'E_CONFIG'}: {missing: boolean; code?: ErrorCode},
): void {
  const problems = paths.map((path) => problemOf(path, missing)).filter((problem) => problem !== null)
  if (problems.length === 0) return
  const onlyKeys = problems.every(({isKey}) => isKey)
  throw new CcError(onlyKeys ? 'E_KEY' : code, problems.map(({text}) => text).join('; '), {
    suggestions: [...new Set(problems.map(({hint}) => hint))],
  })
}

/**
 * Refuse a folder for a program that joins paths with ":".
 * @param instead what makes the program unnecessary
 * @throws E_CONFIG
 */
export function refuseColon(folder: string, program: string, instead: string): void {
  if (!folder.includes(':')) return
  throw new CcError('E_CONFIG', `${program} cannot work in '${folder}': it separates paths by ":"`, {
    suggestions: ['choose a work folder without ":": --work-dir DIR', instead],
  })
}

interface Problem {
  text: string
  hint: string
  /** The file is there, but is not one to take a key from. */
  isKey: boolean
}

function problemOf({key, path, kind, secret = false, leastBytes = 1}: HostPath, missing: boolean): Problem | null {
  const word = kind === 'any' ? 'file or folder' : kind
  const problem = (text: string, hint = 'correct the path, or the permissions of the file', isKey = false) => ({
    text: `${key}: ${text}`,
    hint,
    isKey,
  })
  try {
    const stat = statSync(path)
    const found = typeOf(stat)
    if (kind === 'any' ? !['file', 'folder'].includes(found) : found !== kind)
      return problem(`'${path}' is a ${found}, not a ${word}`)
    closeSync(openSync(path, 'r'))
    const mode = (stat.mode & 0o7777).toString(8)
    if (secret && (stat.mode & 0o077) !== 0)
      return problem(`'${path}' has mode ${mode}: others can read it`, `chmod 600 '${path}'`, true)
    if (kind !== 'file' || stat.size >= leastBytes) return null
    if (stat.size === 0) return problem(`'${path}' is empty`, 'name the file that was meant', secret)
    return problem(
      `'${path}' has ${stat.size} bytes, at least ${leastBytes} are needed`,
      `make one: (umask 077; head -c ${leastBytes} /dev/urandom >FILE)`,
      secret,
    )
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') return problem(`cannot read '${path}': ${(error as Error).message}`)
    return missing ? problem(`there is no ${word} '${path}'`) : null
  }
}

function typeOf(stat: Stats): string {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'folder'
  if (stat.isFIFO()) return 'named pipe'
  return stat.isSocket() ? 'socket' : 'device'
}
