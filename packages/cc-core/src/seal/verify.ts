import {existsSync} from 'node:fs'
import {stat} from 'node:fs/promises'

import {CcError} from '../errors/index.js'
import {sha256File, sharedPath, type ImageDirectory, type ManifestPartition} from '../manifest/index.js'
import {callStep, planStep} from '../steps/index.js'

/** A part of an image that is not as the manifest says. */
export interface Alteration {
  /** A file, or a partition in the qcow2. */
  name: string
  reason: string
}

/**
 * Compare an image directory with its manifest: every file, and in the qcow2 the content of every partition.
 * @param scratch an existing folder; with room for the content of the partitions where the qcow2 is compressed
 */
export async function findAltered(image: ImageDirectory, scratch: string): Promise<Alteration[]> {
  const altered = await findAlteredFiles(image)
  const disk = `${image.manifest.name}.qcow2`
  if (!existsSync(image.file(disk))) return altered
  const {partitions} = image.manifest
  // All at once: there is a large one or two.
  const hashes = await Promise.all(partitions.map((partition) => hashContent(image, partition, scratch)))
  return [
    ...altered,
    ...(await findAlteredRoot(image)),
    ...partitions
      .filter(({content}, index) => content !== null && content.sha256 !== hashes[index])
      .map(({name}) => ({name: `${name} in ${disk}`, reason: 'has another sha256'})),
  ]
}

/** Of many images that share one root it is read once, as long as nobody touches it. */
const knownRoots = new Map<string, Promise<string>>()

/** The root that an image shares with others, as a whole file; an image that was made self-contained has none. */
async function findAlteredRoot({manifest: {shared}, file}: ImageDirectory): Promise<Alteration[]> {
  if (shared === undefined) return []
  const name = sharedPath(shared.name)
  const path = file(name)
  if (!existsSync(path)) return []
  const {size, mtimeNs, ino} = await stat(path, {bigint: true})
  const key = [path, size, mtimeNs, ino].join(' ')
  const hash = knownRoots.get(key) ?? sha256File(path)
  knownRoots.set(key, hash)
  return size === BigInt(shared.bytes) && (await hash) === shared.sha256 ? [] : [{name, reason: 'has another sha256'}]
}

async function findAlteredFiles({manifest, file}: ImageDirectory): Promise<Alteration[]> {
  const altered: Alteration[] = []
  for (const [name, {sha256, bytes}] of Object.entries(manifest.artefacts)) {
    const path = file(name)
    if (!existsSync(path)) altered.push({name, reason: 'is missing'})
    else if ((await stat(path)).size !== bytes) altered.push({name, reason: `is not of ${bytes} bytes`})
    else if ((await sha256File(path)) !== sha256) altered.push({name, reason: 'has another sha256'})
  }
  const disk = `${manifest.name}.qcow2`
  return existsSync(file(disk)) ? altered : [...altered, {name: disk, reason: 'is missing'}]
}

/** @throws E_IMAGE naming every file that was altered after the manifest was written; the qcow2 is not read */
export async function verifyFiles(image: ImageDirectory): Promise<void> {
  const altered = await findAlteredFiles(image)
  if (altered.length > 0) throw alteredError(image, altered)
}

function alteredError({path}: ImageDirectory, altered: readonly Alteration[]): CcError {
  const list = altered.map(({name, reason}) => `${name} ${reason}`).join('; ')
  return new CcError('E_IMAGE', `${path} was altered after its manifest was written: ${list}`, {
    suggestions: ['build the image again, or take an unaltered copy'],
  })
}

/** The sha256 of a partition's content as it lies on the disk; null where it has none. */
async function hashContent(
  image: ImageDirectory,
  {content, start}: ManifestPartition,
  scratch: string,
): Promise<string | null> {
  if (content === null) return null
  const disk = image.file(`${image.manifest.name}.qcow2`)
  const step = await planStep('disk/hash-partition', {disk, offset: start, size: content.bytes, scratch})
  return (await callStep(step)).trim()
}
