import {stringify} from 'yaml'
import {z} from 'zod'

import {defaultPartitions} from './layout-schema.js'
import {configSchema} from './schema.js'

/** What is left of a JSON Schema when we look only at what we need. */
interface Node {
  type?: string | string[]
  description?: string
  default?: unknown
  enum?: unknown[]
  properties?: Record<string, Node>
  additionalProperties?: Node | boolean
  items?: Node
  anyOf?: Node[]
}

export interface ReferenceRow {
  /** `<name>` stands for a partition's name, `[]` for an element of a list. */
  path: string[]
  type: string
  /** Undefined when the key is required. */
  default: unknown
  meaning: string
}

/** The JSON Schema of cc.yaml, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {io: 'input', override: undoOwnTypes}) as Node & Record<string, unknown>
  const partitions = schema.properties?.['layout']?.properties?.['partitions']
  if (partitions !== undefined && typeof partitions.additionalProperties === 'object') {
    // In the file a partition changes a default one, or takes it away: nothing in it is required.
    const partition = {...partitions.additionalProperties}
    delete (partition as Record<string, unknown>)['required']
    partitions.additionalProperties = {anyOf: [partition, {type: 'null'}]}
    partitions.default = defaultPartitions
  }
  const layout = schema.properties?.['layout'] as Record<string, unknown> | undefined
  if (layout !== undefined) delete layout['required']
  delete schema['required']
  return {title: 'cc.yaml', ...schema}
}

/** The words in `meta({type})` are for people; JSON Schema has types of its own. */
function undoOwnTypes({jsonSchema}: {jsonSchema: Record<string, unknown>}): void {
  if (jsonSchema['kind'] !== undefined) jsonSchema['type'] = 'string'
  delete jsonSchema['kind']
  delete jsonSchema['leastBytes']
  delete jsonSchema['secret']
  delete jsonSchema['unless']
  if (jsonSchema['type'] === 'size' || jsonSchema['type'] === 'bit mask') delete jsonSchema['type']
  if (jsonSchema['type'] === undefined) return
  const types = [jsonSchema['type']].flat().map((type) => (type === 'guest path' ? 'string' : type))
  jsonSchema['type'] = types.length === 1 ? types[0] : types
}

/** Every key of the configuration, in the order of the schema. */
export function referenceRows(): ReferenceRow[] {
  return rowsOf(z.toJSONSchema(configSchema, {io: 'input'}) as Node, [])
}

function rowsOf(node: Node, path: string[]): ReferenceRow[] {
  const below = [
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => rowsOf(child, [...path, key])),
    ...(typeof node.additionalProperties === 'object' ? rowsOf(node.additionalProperties, [...path, '<name>']) : []),
    ...(node.items?.properties === undefined ? [] : rowsOf(node.items, [...path, '[]'])),
  ]
  if (path.length === 0 || (node.description === undefined && below.length > 0)) return below
  const own: ReferenceRow = {path, type: typeOf(node), default: node.default, meaning: node.description ?? ''}
  return [own, ...below]
}

function typeOf(node: Node): string {
  if (node.type === 'size' || node.type === 'bit mask') return node.type
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' or ')
  if (node.enum !== undefined) return node.enum.map(String).join(', ')
  if (node.type === 'array')
    return `list of ${node.items?.properties === undefined ? typeOf(node.items ?? {}) : 'objects'}`
  const types = node.type === undefined ? ['any'] : [node.type].flat()
  return types.map((type) => (type === 'string' ? 'text' : type)).join(' or ')
}

/** The reference of cc.yaml in Markdown: a table of key, type, default and meaning, and the default partitions. */
export function configReference(): string {
  const rows = referenceRows().map((row) => [
    `\`${row.path.join('.').replaceAll('.[]', '[]')}\``,
    row.type,
    row.default === undefined || row.type === 'object' ? '' : `\`${JSON.stringify(row.default)}\``,
    row.meaning,
  ])
  const lines = [['Key', 'Type', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
  const table = lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |\n`)
  const partitions = stringify({layout: {partitions: defaultPartitions}})
  return `${table.join('')}\nThe partitions that are there without configuration:\n\n\`\`\`yaml\n${partitions}\`\`\`\n`
}
