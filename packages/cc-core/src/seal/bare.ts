import {existsSync, statSync} from 'node:fs'
import {readFile, realpath, symlink} from 'node:fs/promises'
import {dirname, join, resolve} from 'node:path'

import {CcError} from '../errors/index.js'
import {atomicWrite, mkdirPrivate, move, remove} from '../fs/index.js'
import {espName, typeGuids} from '../layout/index.js'
import {
  encodeManifest,
  parseManifest,
  readImageDirectory,
  type ImageDirectory,
  type Manifest,
} from '../manifest/index.js'
import {readDiskSize, readGrowingSize} from '../resize/index.js'
import {callStep, planStep} from '../steps/index.js'
import {verifyFiles} from './verify.js'

/**
 * Read an image as a user names it: its directory, the qcow2 in it, or a bare qcow2 of a base or FLARE image. For a bare
 * one the rest of the image directory is taken out of its EFI system partition, into a folder below `work`.
 *
 * What lies there is the user's own, as is the qcow2: nothing vouches for the manifest but itself. Every file is compared
 * with it, as is the partition table, and the content of the partitions where it is read.
 * @param work absolute path of a folder that is kept; it is written to only for a bare qcow2
 * @throws E_IMAGE where there is no image, or not all of it
 */
export async function readImage(image: string, work: string, signal?: AbortSignal): Promise<ImageDirectory> {
  const path = resolve(image)
  const bare = existsSync(path) && statSync(path).isFile() && !existsSync(join(dirname(path), 'manifest.json'))
  return bare ? readBare(await realpath(path), work, signal) : readImageDirectory(image)
}

async function readBare(disk: string, work: string, signal?: AbortSignal): Promise<ImageDirectory> {
  const partial = join(work, 'bare.partial')
  const folder = join(work, 'bare')
  remove(partial)
  mkdirPrivate(partial)
  try {
    // Refuses what would make us read another file than this one.
    const {virtual} = readDiskSize(disk, await callStep(await planStep('disk/grow-inspect', {disk}), {signal}))
    const table = await callStep(await planStep('disk/grow-read-table', {disk, size: virtual}), {signal})
    const {offset, size} = findEsp(disk, table)
    const esp = join(partial, 'esp')
    await callStep(await planStep('disk/read-partition', {disk, output: esp, offset, size}), {signal})
    const output = join(partial, 'image')
    await callStep(await planStep('boot/open-esp', {esp, output}), {signal})
    const manifest = parseManifest(
      await readFile(join(output, 'manifest.json'), 'utf8'),
      `manifest.json on the ESP of ${disk}`,
    )
    checkNames(disk, manifest)
    const image = {path: disk, manifest, file: (name: string) => join(output, name)}
    const sized = withSizes(manifest, virtual, readGrowingSize(image, virtual, table))
    await atomicWrite(join(output, 'manifest.json'), encodeManifest(sized))
    await symlink(disk, join(output, `${manifest.name}.qcow2`))
    await verifyFiles(image)
    remove(folder)
    move(output, folder)
    return {path: folder, manifest: sized, file: (name) => join(folder, name)}
  } finally {
    remove(partial)
  }
}

interface Table {
  partitiontable: {
    sectorsize?: number
    partitions?: {name?: string; type: string; start: number; size: number}[]
  }
}

/** The one partition that is ours by name and type. */
function findEsp(disk: string, json: string): {offset: number; size: number} {
  const {sectorsize = 512, partitions = []} = (JSON.parse(json) as Table).partitiontable
  const found = partitions.filter(({name, type}) => name === espName && type.toLowerCase() === typeGuids.esp)
  const [esp] = found
  if (esp !== undefined && found.length === 1) return {offset: esp.start * sectorsize, size: esp.size * sectorsize}
  throw new CcError(
    'E_IMAGE',
    `${disk} has no manifest.json beside it, and ${found.length} partitions ${espName} in it`,
    {
      suggestions: ['name an image directory, or the qcow2 of a base or FLARE image that was built with layout.esp'],
    },
  )
}

/** Names become paths. */
function checkNames(disk: string, {name, artefacts}: Manifest): void {
  const wrong = [name, ...Object.keys(artefacts)].find((one) => !/^\w[\w.-]*$/.test(one))
  if (wrong !== undefined) throw new CcError('E_IMAGE', `the manifest on the ESP of ${disk} has the name '${wrong}'`)
}

/** A disk may have grown since the copy of the manifest was written: its size and that of one partition come from itself. */
function withSizes(manifest: Manifest, bytes: number, grown: number): Manifest {
  const partitions = manifest.partitions.map((one) => (one.grow ? {...one, size: grown} : one))
  return {...manifest, disk: {bytes}, partitions}
}
