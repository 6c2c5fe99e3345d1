import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {callStep, planStep} from '../steps/index.js'
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
export async function inspectIso(path: string, options: InspectOptions = {}): Promise<IsoSource> {
  const {sha256, sha256sums, signature, keyring, signal} = options
  const report = await callStep(await planStep('source/check-iso', {iso: path}), {signal})
  const iso = describeIso(path, JSON.parse(report))
  if (sha256 != null || sha256sums != null) {
    const verify = await planStep('source/verify-sums', {
      iso: path,
      sha256: sha256 ?? undefined,
      sums: sha256sums ?? undefined,
      signature: signature ?? undefined,
      keyring: signature == null ? undefined : (keyring ?? undefined),
    })
    await callStep(verify, {signal})
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
