import {createHash} from 'node:crypto'
import {readdir, readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {atomicWrite} from 'cc-core/fs'
import {sha256File, type ImageDirectory} from 'cc-core/manifest'
import type {CheckResult} from 'cc-core/report'
import {hashFolder, scriptsDirectory} from 'cc-core/steps'
import {inspectDisk} from 'cc-core/vm'
import {z} from 'zod'

const checkResult = z.object({
  ...{id: z.string(), title: z.string(), status: z.enum(['passed', 'failed', 'skipped']), detail: z.string()},
  ...{ms: z.number(), fix: z.string().optional(), group: z.string().optional(), action: z.string().optional()},
  ...{outcome: z.string().optional(), repeat: z.string().optional(), cause: z.string().optional()},
})

/** What a run has found so far. */
const kept = z.object({
  version: z.literal(1),
  /** Of the image, the program and the settings, by what they are. */
  identity: z.record(z.string(), z.string()),
  /** ISO 8601: when the first of the runs began. */
  started: z.string(),
  results: z.array(checkResult),
})
type Kept = z.output<typeof kept>

/** The results of a run that another one can go on from. */
export interface Results {
  known: ReadonlyMap<string, CheckResult>
  /** For the report: what was taken over, or why nothing was. */
  note: string | null
  keep: (result: CheckResult) => Promise<void>
}

/**
 * Open the file that a run keeps its results in. Each result is written before the next check begins, beside the file
 * and renamed: a run that is killed has lost only the checks that it was making.
 * @param file absolute path
 * @param identity what decides a result; where any of it is another one, nothing is taken over
 * @param resume whether to go on from the results that are there
 */
export async function openResults(
  file: string,
  identity: Readonly<Record<string, string>>,
  {resume, started}: {resume: boolean; started: string},
): Promise<Results> {
  const before = resume ? await readResults(file, identity) : null
  const state: Kept =
    before === null || typeof before === 'string' ? {version: 1, identity, started, results: []} : before
  const results = state.results as CheckResult[]
  // Checks end at the same time: one is written after the other.
  let writing: Promise<void> = Promise.resolve()
  return {
    known: new Map(results.map((result) => [result.id, result])),
    note: typeof before === 'string' ? before : before && `${results.length} results of the run of ${before.started}`,
    keep: (result) => {
      state.results.push(result)
      const text = `${JSON.stringify(state)}\n`
      writing = writing.then(() => atomicWrite(file, text, 0o600))
      return writing
    },
  }
}

/** @returns what is there; or why nothing of it can be used */
async function readResults(file: string, identity: Readonly<Record<string, string>>): Promise<Kept | string> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return `nothing: there is no ${file}`
  }
  let before: Kept
  try {
    before = kept.parse(JSON.parse(text))
  } catch {
    return `nothing: ${file} is damaged`
  }
  const different = Object.keys({...identity, ...before.identity}).filter(
    (name) => identity[name] !== before.identity[name],
  )
  return different.length === 0 ? before : `nothing: ${different.join(', ')} changed since ${before.started}`
}

/**
 * What decides how the checks of an image come out: each of its files, the program with its parts, and the settings.
 * @param settings those that a result depends on
 */
export async function identityOf(
  image: ImageDirectory,
  settings: Readonly<Record<string, unknown>>,
): Promise<Record<string, string>> {
  const entries = await readdir(image.path, {withFileTypes: true, recursive: true})
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const {otherFiles} = await inspectDisk(image.file(`${image.manifest.name}.qcow2`)).catch(() => ({otherFiles: []}))
  const all = [...files, ...otherFiles.map((name) => join(image.path, name))].sort()
  const hash = createHash('sha256')
  for (const file of all) hash.update(`${file.slice(image.path.length)}\0${await sha256File(file)}\0`)
  const core = dirname(fileURLToPath(import.meta.resolve('cc-core/report')))
  const program = [join(import.meta.dirname, '..'), join(core, '..'), scriptsDirectory()]
  return {
    'the image': hash.digest('hex'),
    'the program': sha256Of((await Promise.all(program.map(hashFolder))).join(' ')),
    'the settings': sha256Of(JSON.stringify(settings)),
  }
}

const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex')
