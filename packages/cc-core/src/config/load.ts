import {isUtf8} from 'node:buffer'
import {readFileSync} from 'node:fs'
import {dirname, resolve} from 'node:path'

import {isMap, isScalar, isSeq, parseDocument, stringify, type Document} from 'yaml'
import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {defaultPartitions} from './layout-schema.js'
import {alternatives, childOf, isPathNode, pathNodes, type PathNode} from './path-nodes.js'
import {problemsOf, type Written} from './problems.js'
import {configSchema, type Config} from './schema.js'
import {isPath} from './values.js'

type Tree = Record<string, unknown>

/**
 * Reads the configuration: defaults, then the file, then the settings in their order.
 * Relative paths in the file are taken from its directory, those in settings from the working directory.
 * @param file path of a cc.yaml, or null for the defaults alone
 * @param sets texts like `layout.size=20G`; what follows `=` is a YAML value
 * @throws CcError E_CONFIG that names every problem at once
 */
export function loadConfig(file: string | null, sets: readonly string[] = [], cwd = process.cwd()): Config {
  const written: Written = new Map()
  const fromFile =
    file === null ? {} : absolutePaths(readYaml(resolve(cwd, file), written), dirname(resolve(cwd, file)))
  const raw = sets.reduce((tree, set) => merge(tree, absolutePaths(parseSet(set, written), cwd)), fromFile)
  return parseConfig(raw, written)
}

/** What of a configuration describes the image itself; a later stage takes it over from the manifest. */
export type ImageConfig = Pick<Config, 'profile' | 'os' | 'boot' | 'layout' | 'kbs' | 'teeDerived'>

/** That part as the plain object that parseConfig reads. It names no path of the host: those files are in the image. */
export function encodeImageConfig(config: Config): Record<string, unknown> {
  const {profile, os, boot, layout, flare, amd, nvidia, attestation, hardening, kbs, teeDerived} = encodeConfig(config)
  const {venv, workspace} = flare ?? {}
  // A default partition that was taken away must not come back.
  const gone = Object.keys(defaultPartitions).filter((name) => !(name in layout.partitions))
  const partitions = {...layout.partitions, ...Object.fromEntries(gone.map((name) => [name, null]))}
  const image = {
    profile,
    os: {...os, files: []},
    boot,
    layout: {...layout, partitions},
    flare: {venv, workspace},
    kbs: {...kbs, caFile: null, client: null},
    teeDerived,
    amd: {sevGuest: amd?.sevGuest},
    // A key of an archive and a package file are paths of this host.
    nvidia: {
      ...nvidia,
      debs: [],
      patches: [],
      signing: {},
      repository: null,
      cuda: {...nvidia?.cuda, repository: null},
    },
    attestation: {...attestation, snpguest: {version: attestation?.snpguest?.version}},
  }
  // Only a hardened image has a role.
  if (config.hardening.role === null) return image
  const {requirements: _, application: __, startupKit: ___, mounts = {}, ...rest} = hardening ?? {}
  return {...image, hardening: {...rest, mounts: {input: mounts.input, output: mounts.output}}}
}

/** The configuration out of a plain object as a cc.yaml holds it. Host paths in it must be absolute. */
export function parseConfig(raw: Tree, written: Written = new Map()): Config {
  const result = configSchema.safeParse(withDefaultPartitions(raw), {reportInput: true})
  if (result.success) return result.data
  throw new CcError('E_CONFIG', problemsOf(result.error.issues, written).join('; '), {
    suggestions: ['docs/configuration.md lists every key with its values; --print-config shows what is in force'],
  })
}

/** The whole configuration as YAML that loadConfig reads back as the same. */
export function printConfig(config: Config): string {
  return stringify(encodeConfig(config), {lineWidth: 0})
}

/** The configuration as the plain object that printConfig prints. */
export function encodeConfig(config: Config): z.input<typeof configSchema> {
  return z.encode(configSchema, config)
}

/**
 * A YAML file with keys and values.
 * @throws CcError E_CONFIG where it cannot be read, or is none
 */
export function readYaml(file: string, written: Written = new Map()): Tree {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CcError('E_CONFIG', `cannot read the configuration file '${file}': ${(error as Error).message}`, {
      suggestions: ['correct the path, or the permissions of the file'],
      reason: error,
    })
  }
  if (!isUtf8(bytes)) throw notUtf8(file, bytes)
  const document = parseDocument(bytes.toString('utf8'))
  const [problem] = document.errors
  if (problem !== undefined) throw new CcError('E_CONFIG', `${file} is not YAML: ${problem.message.trim()}`)
  const content: unknown = document.toJS() ?? {}
  if (!isTree(content))
    throw new CcError('E_CONFIG', `${file}: expected keys and values, got ${JSON.stringify(content)}`)
  noteNumbers(document.contents, [], written)
  return content
}

/** Read as UTF-8, bytes of another encoding would become other characters without a word. */
function notUtf8(file: string, bytes: Buffer): CcError {
  const lines = bytes.toString('latin1').split('\n')
  const number = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1'))) + 1
  return new CcError('E_CONFIG', `${file} is not UTF-8: line ${number}`, {
    suggestions: ['convert it, from latin-1 for example: iconv -f latin1 -t utf-8'],
  })
}

/** Remember how each number is written below a node. */
function noteNumbers(node: Document['contents'], path: readonly string[], written: Written): void {
  if (isScalar(node) && typeof node.value === 'number' && node.source !== undefined) {
    written.set(path.join('.'), node.source)
  } else if (isMap(node)) {
    for (const {key, value} of node.items)
      noteNumbers(value as Document['contents'], [...path, String(isScalar(key) ? key.value : key)], written)
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries())
      noteNumbers(item as Document['contents'], [...path, String(index)], written)
  }
}

/** `a.b=c` as {a: {b: c}}. */
function parseSet(set: string, written: Written): Tree {
  const [, path = '', text = ''] = /^([\w-]+(?:\.[\w-]+)*)=(.*)$/s.exec(set) ?? []
  if (path === '') throw new CcError('E_USAGE', `--set: expected KEY.KEY=VALUE, got '${set}'`)
  const document = parseDocument(text)
  if (document.errors.length > 0) throw new CcError('E_USAGE', `--set ${path}: not a YAML value: '${text}'`)
  const value: unknown = document.toJS()
  noteNumbers(document.contents, path.split('.'), written)
  return path.split('.').reduceRight((inner, key) => ({[key]: inner}), value) as Tree
}

/** The paths of the host, absolute. What is not text is left for the schema to complain about. */
const absolutePaths = (raw: Tree, base: string): Tree => absoluteBelow(pathNodes(), raw, base) as Tree

function absoluteBelow(node: PathNode, value: unknown, base: string): unknown {
  const nodes = alternatives(node)
  if (typeof value === 'string') {
    const isOurs = value !== '' && nodes.some((one) => isPathNode(one) && isPath(one, value))
    return isOurs ? resolve(base, value) : value
  }
  if (Array.isArray(value)) {
    const items = nodes.find((one) => one.items !== undefined)?.items ?? {}
    return value.map((item) => absoluteBelow(items, item, base))
  }
  if (!isTree(value)) return value
  const object = nodes.find((one) => one.properties !== undefined || one.additionalProperties !== undefined) ?? {}
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, absoluteBelow(childOf(object, key), inner, base)]),
  )
}

/**
 * The default partitions under the configured ones. A partition set to null goes. One that changes `encryption`
 * changes its whole protection: the default's key source would not fit it.
 */
function withDefaultPartitions(raw: Tree): Tree {
  const layout = raw['layout'] ?? {}
  if (!isTree(layout)) return raw
  const configured = layout['partitions'] ?? {}
  if (!isTree(configured)) return raw
  const merged: Tree = {...configured}
  for (const [name, defaults] of Object.entries(defaultPartitions)) {
    const own = configured[name] ?? {}
    if (!isTree(own)) continue
    merged[name] = {...defaults, ...('encryption' in own ? {key: null, keyFile: null} : {}), ...own}
  }
  const names = [...new Set([...Object.keys(defaultPartitions), ...Object.keys(configured)])]
  const partitions = names.filter((name) => configured[name] !== null).map((name) => [name, merged[name]])
  return {...raw, layout: {...layout, partitions: Object.fromEntries(partitions) as Tree}}
}

function merge(base: Tree, over: Tree): Tree {
  const merged = {...base}
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key]
    merged[key] = isTree(old) && isTree(value) ? merge(old, value) : value
  }
  return merged
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
