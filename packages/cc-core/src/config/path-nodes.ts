import {z} from 'zod'

import {configSchema} from './schema.js'
import type {PathMeta} from './values.js'

/** What is left of a JSON Schema when we look only for paths. */
export interface PathNode extends Partial<PathMeta> {
  properties?: Record<string, PathNode>
  additionalProperties?: PathNode | boolean
  items?: PathNode
  anyOf?: PathNode[]
}

let schema: PathNode | undefined

/** The configuration as the schema describes it: the one place that says which of its texts are paths of this host. */
export function pathNodes(): PathNode {
  schema ??= z.toJSONSchema(configSchema, {io: 'input'}) as PathNode
  return schema
}

/** Whether a node is a text that names something of this host. */
export const isPathNode = (node: PathNode): node is PathNode & PathMeta => node.kind !== undefined

/** A node and the others that its value may be of: null stands beside most of them. */
export const alternatives = (node: PathNode): PathNode[] => [node, ...(node.anyOf ?? []).flatMap(alternatives)]

/** The node of a key of an object. */
export function childOf({properties = {}, additionalProperties: others}: PathNode, key: string): PathNode {
  return properties[key] ?? (typeof others === 'object' ? others : {})
}
