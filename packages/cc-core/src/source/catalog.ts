import {parse, YAMLError} from 'yaml'
import {z} from 'zod'

import {kind, quote} from './disk-info.js'

/** One way to install from the medium. */
export interface InstallSource {
  id: string
  default: boolean
  type: 'fsimage' | 'fsimage-layered'
  /** Names of the squashfs files in casper, lowest first. */
  layers: string[]
  /** Of the installed tree, as the catalog has it. */
  sizeBytes: number
}

const maxBytes = 1 << 20
const maxSources = 64

/** What we read of an entry. Further keys are descriptive, and subiquity ignores those it does not know as well. */
const entrySchema = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/),
  path: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.squashfs$/, 'not the name of a squashfs file in casper'),
  size: z.int().nonnegative(),
  type: z.enum(['fsimage', 'fsimage-layered']),
  default: z.boolean().default(false),
})
const listSchema = z.array(entrySchema).min(1).max(maxSources)
const dictSchema = z.strictObject({
  version: z.union([z.literal(1), z.literal(2)]),
  sources: listSchema,
  kernel: z.unknown().optional(),
})

/**
 * Parse casper/install-sources.yaml, in its list form (22.04, 24.04) and its dict form (later).
 * @throws E_ISO_KIND with the reason, for anything that could not be installed as described
 */
export function parseCatalog(text: string): InstallSource[] {
  const document = parseYaml(text)
  const result = Array.isArray(document) ? listSchema.safeParse(document) : dictSchema.safeParse(document)
  if (!result.success) throw kind(`install-sources.yaml: ${firstProblem(result.error)}`)
  const entries = Array.isArray(result.data) ? result.data : result.data.sources

  const ids = entries.map(({id}) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw kind(`install-sources.yaml has the id ${quote(twice)} twice`)
  const defaults = entries.filter((entry) => entry.default)
  if (defaults.length > 1) throw kind(`install-sources.yaml has ${defaults.length} defaults`)
  const chosen = defaults[0] ?? entries[0] // as subiquity chooses
  return entries.map((entry) => ({
    id: entry.id,
    default: entry === chosen,
    type: entry.type,
    layers: entry.type === 'fsimage' ? [entry.path] : layerStack(entry.path),
    sizeBytes: entry.size,
  }))
}

/**
 * The stack of a layered image by curtin's rule: `a.b.squashfs` lies on `a.squashfs`.
 * @returns file names, lowest first
 */
export function layerStack(path: string): string[] {
  const labels = path.split('.').slice(0, -1)
  return labels.map((_, index) => `${labels.slice(0, index + 1).join('.')}.squashfs`)
}

/** subiquity reads the file with PyYAML, that is as YAML 1.1. */
function parseYaml(text: string): unknown {
  if (text.length > maxBytes) throw kind(`install-sources.yaml has ${text.length} bytes`)
  try {
    return parse(text, {version: '1.1', strict: true, uniqueKeys: true, maxAliasCount: 100}) as unknown
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError) {
      throw kind(`install-sources.yaml is not YAML: ${error.message.split('\n')[0] ?? ''}`)
    }
    throw error
  }
}

function firstProblem(error: z.ZodError): string {
  const {path = [], message = 'invalid'} = error.issues[0] ?? {}
  return `${path.length === 0 ? 'the document' : path.join('.')}: ${message}`
}
