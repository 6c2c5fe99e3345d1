import {join} from 'node:path'

import {z} from 'zod'

import {CcError, fromStepOutput} from '../errors/index.js'
import {run, SubprocessError} from '../exec/index.js'
import {parseCatalog, type InstallSource} from './catalog.js'
import {kind, parseDiskInfo, type DiskInfo} from './disk-info.js'

/** An ISO that can be installed from. */
export interface IsoSource extends DiskInfo {
  /** Absolute or as given. */
  path: string
  /** The volume id, for people. */
  label: string
  sources: InstallSource[]
}

export interface InspectOptions {
  /** The folder of the steps. */
  scriptsDir: string
  /** What the ISO must hash to. */
  sha256?: string | null | undefined
  /** SHA256SUMS that lists the ISO, and optionally its detached signature with the keys to trust. Paths. */
  sha256sums?: string | null | undefined
  signature?: string | null | undefined
  keyring?: string | null | undefined
  signal?: AbortSignal | undefined
}

/** What source/check-iso.sh prints. */
const reportSchema = z.strictObject({
  label: z.string(),
  info: z.string(),
  catalog: z.string(),
  files: z.record(z.string(), z.int().nonnegative()),
  dists: z.array(z.string()),
})

/**
 * Look at an ISO, cheapest checks first; nothing is written.
 * @param path absolute path of the ISO
 * @throws E_ISO_MISSING, E_ISO_TRUNCATED, E_ISO_KIND; E_SHA256 and E_SIGNATURE where something to check against is given
 */
export async function inspectIso(path: string, options: InspectOptions): Promise<IsoSource> {
  const report = await callStep(options, 'check-iso', ['--iso', path])
  const iso = describeIso(path, JSON.parse(report))
  const {sha256, sha256sums, signature, keyring} = options
  if (sha256 != null || sha256sums != null) {
    const given = {sha256, sums: sha256sums, signature, keyring: signature == null ? null : keyring}
    const words = Object.entries(given).flatMap(([name, value]) => (value == null ? [] : [`--${name}`, value]))
    await callStep(options, 'verify-sums', ['--iso', path, ...words])
  } else if (signature != null) {
    throw new CcError('E_CONFIG', `source.sha256sumsSignature: '${signature}' signs nothing without source.sha256sums`)
  }
  return iso
}

/**
 * Judge what check-iso found.
 * @throws E_ISO_KIND
 */
export function describeIso(path: string, found: unknown): IsoSource {
  const report = reportSchema.parse(found)
  const info = parseDiskInfo(report.info)
  if (!report.dists.includes(info.codename)) {
    throw kind(`.disk/info says ${info.codename}, but dists has ${report.dists.join(', ') || 'nothing'}`)
  }
  const sources = parseCatalog(report.catalog)
  for (const {id, layers} of sources) {
    const missing = layers.find((layer) => !report.files[layer])
    if (missing !== undefined) throw kind(`the source '${id}' needs casper/${missing}, which is not there or empty`)
  }
  return {path, label: report.label, ...info, sources}
}

/**
 * The source with an id, or the default one.
 * @param id source.installSource of the configuration; null for the default
 * @throws E_CONFIG for an id that the ISO does not have
 */
export function selectSource(iso: IsoSource, id: string | null): InstallSource {
  const source = iso.sources.find((candidate) => (id === null ? candidate.default : candidate.id === id))
  if (source !== undefined) return source
  throw new CcError('E_CONFIG', `source.installSource: the ISO has no '${id}'`, {
    suggestions: [`one of: ${iso.sources.map((candidate) => candidate.id).join(', ')}`],
  })
}

async function callStep({scriptsDir, signal}: InspectOptions, name: string, words: string[]): Promise<string> {
  try {
    const argv = ['bash', join(scriptsDir, 'source', `${name}.sh`), ...words]
    return (await run(argv, {collect: true, ...(signal === undefined ? {} : {signal})})).stdout
  } catch (error) {
    if (error instanceof SubprocessError && error.kind === 'exited') throw fromStepOutput(error.stderr) ?? error
    throw error
  }
}
