import {createHash} from 'node:crypto'
import {createReadStream, existsSync, statSync} from 'node:fs'
import {readFile, realpath, stat} from 'node:fs/promises'
import {basename, dirname, join, resolve} from 'node:path'
import {pipeline} from 'node:stream/promises'

import {CcError} from '../errors/index.js'
import {manifestSchema, type Manifest} from './schema.js'

/** Name of the statement in an image directory that says how the image came to be. */
export const provenanceName = 'provenance.json'
/** What the signature of a file adds to its name. */
export const signatureSuffix = '.sig'

/** The sha256 of a file, in hexadecimal. */
export async function sha256File(file: string | Buffer): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, {highWaterMark: 1024 * 1024}), hash)
  return hash.digest('hex')
}

/** What the manifest says of a file. */
export async function describeFile(file: string): Promise<{sha256: string; bytes: number}> {
  return {sha256: await sha256File(file), bytes: (await stat(file)).size}
}

/**
 * Where the disk of an image finds the root that it shares, from its own folder: OUTPUT/shared beside OUTPUT/SITE/IMAGE. A
 * disk that leans on anything else is none of ours.
 */
export const sharedPath = (name: string): string => `../../shared/${name}`

/** manifest.json as text. */
export const encodeManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`

/** An image as a user names it: the directory, or the qcow2 in it. */
export interface ImageDirectory {
  path: string
  manifest: Manifest
  /** Absolute path of one of its files. */
  file: (name: string) => string
}

/**
 * Read an image directory.
 * @param image path of the directory or of its qcow2
 * @throws E_IMAGE where there is none, or its manifest is not ours
 */
export async function readImageDirectory(image: string): Promise<ImageDirectory> {
  const path = existsSync(image) && statSync(image).isFile() ? dirname(resolve(image)) : resolve(image)
  const file = join(path, 'manifest.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new CcError('E_IMAGE', `there is no image at '${image}': ${file} cannot be read`, {
      suggestions: ['name an image directory, as cc-image-installer writes it, or the qcow2 in it'],
      reason: error,
    })
  }
  const manifest = parseManifest(text, file)
  if (statSync(image).isFile() && basename(await realpath(image)) !== `${manifest.name}.qcow2`) {
    throw new CcError('E_IMAGE', `'${image}' is not the image that ${file} describes: that is ${manifest.name}.qcow2`)
  }
  return {path, manifest, file: (name) => join(path, name)}
}

/** @throws E_IMAGE for a text that is not a manifest of ours */
export function parseManifest(text: string, file: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new CcError('E_IMAGE', `${file} is not JSON`, {reason: error})
  }
  const result = manifestSchema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new CcError('E_IMAGE', `${file} is not a manifest: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}
