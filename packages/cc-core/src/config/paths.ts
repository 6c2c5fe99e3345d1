import {closeSync, openSync, statSync, type Stats} from 'node:fs'

import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {encodeConfig} from './load.js'
import {configSchema, type Config} from './schema.js'
import type {PathKind} from './values.js'

/** What is left of a JSON Schema when we look only for paths. */
interface Node {
  type?: unknown
  kind?: PathKind
  properties?: Record<string, Node>
  additionalProperties?: Node | boolean
  items?: Node
  anyOf?: Node[]
}

/** A path of this host that a configuration names. */
export interface HostPath {
  /** The key of cc.yaml, with the number of the element in a list. */
  key: string
  path: string
  kind: PathKind
}

/** Every path of this host in these sections of a configuration: the schema says which values are paths. */
export function pathsOf(config: Config, sections: readonly (keyof Config)[]): HostPath[] {
  const {properties = {}} = z.toJSONSchema(configSchema, {io: 'input'}) as Node
  const values = encodeConfig(config)
  return sections.flatMap((section) => below(properties[section] ?? {}, values[section], section))
}

function below(node: Node, value: unknown, key: string): HostPath[] {
  if (node.type === 'path') return typeof value === 'string' ? [{key, path: value, kind: node.kind ?? 'file'}] : []
  const found = (node.anyOf ?? []).flatMap((other) => below(other, value, key))
  if (Array.isArray(value)) {
    const {items = {}} = node
    return [...found, ...value.flatMap((item, index) => below(items, item, `${key}[${index}]`))]
  }
  if (typeof value !== 'object' || value === null) return found
  const {properties = {}, additionalProperties: others} = node
  for (const [name, inner] of Object.entries(value)) {
    const child = properties[name] ?? (typeof others === 'object' ? others : {})
    found.push(...below(child, inner, `${key}.${name}`))
  }
  return found
}

/**
 * Check that what a configuration names on this host can be read, before anything is read or written: a named pipe, for
 * example, would be waited for.
 * @param sections those that the command uses
 * @param missing whether something that is not there is refused here, too, or left to what says more of it
 * @throws E_CONFIG that names every problem at once
 */
export function checkPaths(config: Config, sections: readonly (keyof Config)[], {missing}: {missing: boolean}): void {
  refusePaths(pathsOf(config, sections), {missing})
}

/** The same for paths that the schema does not tell from other text. */
export function refusePaths(paths: readonly HostPath[], {missing}: {missing: boolean}): void {
  const problems = paths.map((path) => problemOf(path, missing)).filter((problem) => problem !== null)
  if (problems.length === 0) return
  throw new CcError('E_CONFIG', problems.join('; '), {
    suggestions: ['correct the path, or the permissions of the file'],
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

function problemOf({key, path, kind}: HostPath, missing: boolean): string | null {
  const word = kind === 'any' ? 'file or folder' : kind
  let stat: Stats
  try {
    stat = statSync(path)
    const found = typeOf(stat)
    if (kind === 'any' ? !['file', 'folder'].includes(found) : found !== kind)
      return `${key}: '${path}' is a ${found}, not a ${word}`
    closeSync(openSync(path, 'r'))
    return null
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') return `${key}: cannot read '${path}': ${(error as Error).message}`
    return missing ? `${key}: there is no ${word} '${path}'` : null
  }
}

function typeOf(stat: Stats): string {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'folder'
  if (stat.isFIFO()) return 'named pipe'
  return stat.isSocket() ? 'socket' : 'device'
}
