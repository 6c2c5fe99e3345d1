import {readFileSync} from 'node:fs'
import {dirname, resolve} from 'node:path'

import {parse, parseDocument, stringify} from 'yaml'
import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {defaultPartitions} from './layout-schema.js'
import {problemsOf} from './problems.js'
import {configSchema, type Config} from './schema.js'

type Tree = Record<string, unknown>

/**
 * Reads the configuration: defaults, then the file, then the settings in their order.
 * Relative paths in the file are taken from its directory, those in settings from the working directory.
 * @param file path of a cc.yaml, or null for the defaults alone
 * @param sets texts like `layout.size=20G`; what follows `=` is a YAML value
 * @throws CcError E_CONFIG that names every problem at once
 */
export function loadConfig(file: string | null, sets: readonly string[] = [], cwd = process.cwd()): Config {
  const fromFile = file === null ? {} : absolutePaths(readYaml(resolve(cwd, file)), dirname(resolve(cwd, file)))
  const raw = sets.reduce((tree, set) => merge(tree, absolutePaths(parseSet(set), cwd)), fromFile)
  return parseConfig(raw)
}

/** The configuration out of a plain object as a cc.yaml holds it. Host paths in it must be absolute. */
export function parseConfig(raw: Tree): Config {
  const result = configSchema.safeParse(withDefaultPartitions(raw), {reportInput: true})
  if (result.success) return result.data
  throw new CcError('E_CONFIG', problemsOf(result.error.issues).join('; '), {
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

function readYaml(file: string): Tree {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CcError('E_CONFIG', `cannot read the configuration file '${file}': ${(error as Error).message}`, {
      reason: error,
    })
  }
  const document = parseDocument(text)
  const [problem] = document.errors
  if (problem !== undefined) throw new CcError('E_CONFIG', `${file} is not YAML: ${problem.message.trim()}`)
  const content: unknown = document.toJS() ?? {}
  if (!isTree(content))
    throw new CcError('E_CONFIG', `${file}: expected keys and values, got ${JSON.stringify(content)}`)
  return content
}

/** `a.b=c` as {a: {b: c}}. */
function parseSet(set: string): Tree {
  const [, path = '', text = ''] = /^([\w-]+(?:\.[\w-]+)*)=(.*)$/s.exec(set) ?? []
  if (path === '') throw new CcError('E_USAGE', `--set: expected KEY.KEY=VALUE, got '${set}'`)
  let value: unknown
  try {
    value = parse(text)
  } catch {
    throw new CcError('E_USAGE', `--set ${path}: not a YAML value: '${text}'`)
  }
  return path.split('.').reduceRight((inner, key) => ({[key]: inner}), value) as Tree
}

/** The paths of the host in `source`, absolute. What is not text is left for the schema to complain about. */
function absolutePaths(raw: Tree, base: string): Tree {
  const {source} = raw
  if (!isTree(source)) return raw
  const absolute = (value: unknown) => (typeof value === 'string' && value !== '' ? resolve(base, value) : value)
  const paths = ['iso', 'sha256sums', 'sha256sumsSignature', 'keyring'].filter((key) => key in source)
  const changed = Object.fromEntries(paths.map((key) => [key, absolute(source[key])]))
  // A mirror is a line of sources.list, or a file.
  if (Array.isArray(source['mirrors'])) {
    changed['mirrors'] = source['mirrors'].map((entry: unknown) =>
      typeof entry === 'string' && /^\s*deb(-src)?\s/.test(entry) ? entry : absolute(entry),
    )
  }
  return {...raw, source: {...source, ...changed}}
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
