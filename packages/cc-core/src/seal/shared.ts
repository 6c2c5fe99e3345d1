import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

import {z} from 'zod'

import {CcError} from '../errors/index.js'
import {atomicWrite, mkdirp} from '../fs/index.js'
import {alignment} from '../layout/index.js'
import {artefactSchema, describeFile, sha256File} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {filledPartitions, isEncrypted, planHeaders, type FilledRequest} from './content.js'
import {hasEsp} from './esp.js'
import {seedOf, type PrepareRequest} from './prepare.js'
import type {SealRequest} from './seal.js'

/** The partition that images share: first on the disk of each, so that it lies at one place in all of them. */
export const sharedPartition = 'cc-root'

/** Where the first partition of a disk begins, in bytes. */
const offset = alignment

const sharedRootSchema = z.strictObject({
  /** Absolute path of the file. */
  path: z.string(),
  /** The file as a whole, with zeros where a disk has its partition table. */
  file: artefactSchema,
  /** What the partition holds, as it lies in the file. */
  content: artefactSchema,
})

/** What is known of a shared root once it is made. */
export type SharedRoot = z.output<typeof sharedRootSchema>

const noteFile = (prepared: string) => join(prepared, 'shared.json')

/** The name of the file while disk/make-shared makes it. */
export const unfinishedShared = (file: string) => join(dirname(file), `.${basename(file)}.partial`)

/** Whether an image can lean on a shared root: one that is never written, and lies first on the disk. */
export function canShareRoot({stage, config}: Pick<SealRequest, 'stage' | 'config'>): boolean {
  const [first] = Object.entries(config.layout.partitions).filter(([, {grow}]) => !grow)
  if (first?.[0] !== sharedPartition || first[1].integrity !== 'verity' || hasEsp(stage, config)) return false
  // What the guest encrypts in place it writes.
  return isEncrypted({name: sharedPartition, partition: first[1]})
}

/**
 * A name for a new shared root that no other ever had: images of a run before lean on theirs, and a key broker holds the
 * key under this name.
 * @param folder where shared roots lie
 */
export const newSharedFile = (folder: string): string => join(folder, `root-${randomBytes(8).toString('hex')}.raw`)

/** The file of the root that was prepared in a folder; null where that, its header or its key is not whole any more. */
export async function findShared(request: FilledRequest, prepared: string): Promise<string | null> {
  const {key, files} = sharedRootOf(request, prepared)
  const known = await readShared(prepared).catch(() => null)
  if (known === null || ![known.path, key, files.header].every((file) => existsSync(file))) return null
  return (await sha256File(known.path)) === known.file.sha256 ? known.path : null
}

/**
 * Plan the encryption of the root that was prepared, once for all images, under one key. The key stays with what was
 * prepared, for images that are added later: whoever can read that folder can read the system anyway.
 * @param rootKey the key itself
 * @param file absolute path of the file that all images will lean on; it must not be there
 */
export async function planSharedRoot(
  request: Pick<PrepareRequest, 'config' | 'distribution' | 'name' | 'tree'>,
  {prepared, rootKey, file}: {prepared: string; rootKey: Buffer; file: string},
): Promise<Task[]> {
  const root = sharedRootOf(request, prepared)
  const place = stepTask(
    await planStep('disk/make-shared', {
      ...{content: root.files.plain, offset, output: file},
      ...{header: root.files.header, 'key-file': root.key},
    }),
    sharedPartition,
  )
  return [
    writeTask('shared/start', `make ${dirname(file)}, and a key in ${prepared}`, async () => {
      mkdirp(dirname(file))
      await atomicWrite(root.key, rootKey, 0o600)
    }),
    ...(await planHeaders([root], {seed: seedOf(request)})),
    {
      ...place,
      run: async (context) => {
        const sha256 = (await place.run(context)).trim()
        const content = {sha256, bytes: (await stat(root.files.plain)).size}
        const known: SharedRoot = {path: file, content, file: await describeFile(file)}
        await atomicWrite(noteFile(prepared), JSON.stringify(known))
        return sha256
      },
    },
  ]
}

/** The root of a prepared folder: its plain file, its header and its key all lie there. */
function sharedRootOf({tree, config}: FilledRequest, prepared: string) {
  const root = filledPartitions({tree, config, prepared, shared: true}, prepared, prepared).find(
    ({name}) => name === sharedPartition,
  )
  if (root === undefined) throw new CcError('E_LAYOUT', `there is no ${sharedPartition} to share`)
  return root
}

/** What planSharedRoot has written down. */
export async function readShared(prepared: string): Promise<SharedRoot> {
  return sharedRootSchema.parse(JSON.parse(await readFile(noteFile(prepared), 'utf8')))
}

/** @throws E_LAYOUT where a disk would have its root somewhere else */
export function checkSharedPlace(startBytes: number | undefined): void {
  if (startBytes === offset) return
  throw new CcError('E_LAYOUT', `${sharedPartition} begins at ${String(startBytes)}, and the shared one at ${offset}`, {
    suggestions: ['build self-contained images: --standalone'],
  })
}
