import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {headerPlace, type VerityParameters} from '../boot/index.js'
import type {Config, Partition} from '../config/index.js'
import {uuidFromSeed} from '../layout/index.js'
import {planStep, stepTask, type Task} from '../steps/index.js'
import {keyFile, sealedKeyPath} from './keys.js'

/** A partition that gets its content now, rather than at boot. */
export interface Filled {
  name: string
  partition: Partition
  /** The folder that fills it; null where its plain content was prepared. */
  content: string | null
  /** What is made of it on the way to the disk: `plain` is the file system with its hash tree. */
  files: {plain: string; header: string; verity: string}
  /** Its key, where it is encrypted at build time. One that is sealed into the root is not for the image directory. */
  key: string
}

/** What fills the partitions, and with what they are laid out. */
export interface FilledRequest {
  tree: string
  config: Config
  /** The folder that planPrepare has filled. */
  prepared?: string | undefined
  /** Its root is encrypted already, for several images: header and key of cc-root lie there, too. */
  shared?: boolean | undefined
  /** Folders that fill partitions instead of those of the tree, by the name of the partition. */
  contents?: Readonly<Record<string, string>> | undefined
}

export interface ContentOptions {
  /** What UUIDs and salts are made from. */
  seed: string
  /** In seconds since 1970. */
  sourceDateEpoch: number
}

/**
 * The root first: its size matters most to whoever watches.
 * @param work where intermediate files go
 * @param keys folder of the keys of the image directory
 */
export function filledPartitions(request: FilledRequest, work: string, keys: string): Filled[] {
  const {tree, config, prepared, contents = {}, shared: sharesRoot = false} = request
  return Object.entries(config.layout.partitions).flatMap(([name, partition]) => {
    const from = partition.mount === '/' ? '' : partition.from
    if (from === null) return []
    const own = contents[name]
    const shared = prepared !== undefined && own === undefined ? prepared : null
    const {plain, verity} = contentFiles(shared ?? work, name)
    const headers = sharesRoot && name === 'cc-root' ? (prepared ?? work) : work
    return [
      {
        name,
        partition,
        content: shared === null ? (own ?? `${tree}${from}`) : null,
        files: {plain, header: join(headers, `${name}.luks`), verity},
        key: keyFile(partition.key === 'sealed' ? work : keys, name),
      },
    ]
  })
}

/** Where the content of a partition lies in a folder before it is encrypted, and what its hash tree is. */
const contentFiles = (folder: string, name: string) => ({
  plain: join(folder, `${name}.plain`),
  verity: join(folder, `${name}.verity.json`),
})

/** Whether it is encrypted at build time, with a header for the initrd. */
export const isEncrypted = ({name, partition}: Pick<Filled, 'name' | 'partition'>) =>
  partition.encryption === 'luks2' && headerPlace(name, partition) === 'initrd'

/** Whether the guest encrypts it in place at its first boot. */
export const isEncryptedInPlace = ({name, partition}: Pick<Filled, 'name' | 'partition'>) =>
  partition.encryption === 'luks2' && headerPlace(name, partition) === 'none'

/** Whether its key lies in the root file system. */
export const isSealed = ({name, partition}: Pick<Filled, 'name' | 'partition'>) =>
  partition.key === 'sealed' && isEncrypted({name, partition})

/**
 * Plan what becomes of each folder before it is encrypted: file system → hash tree, in one plain file. It depends on no key but
 * those that are sealed into the root.
 */
export async function planPlain(filled: readonly Filled[], options: ContentOptions): Promise<Task[]> {
  const {seed, sourceDateEpoch} = options
  const tasks: Task[] = []
  for (const {name, partition, content, files} of filled) {
    if (content === null) continue
    const root = partition.mount === '/'
    const form = {
      content,
      output: files.plain,
      without: root ? filled.flatMap((other) => other.partition.from ?? []) : [],
      'source-date-epoch': sourceDateEpoch,
    }
    if (partition.filesystem === 'squashfs') {
      const secret = root ? filled.filter(isSealed).map((one) => `${sealedKeyPath(one.name)}:${one.key}`) : []
      const fill = await planStep('disk/make-squashfs', {...form, level: partition.compressionLevel, secret})
      tasks.push(stepTask(fill, name))
    } else {
      const fill = await planStep('disk/make-filesystem', {
        ...form,
        label: name.slice(0, 16),
        uuid: uuidFromSeed(seed, `${name} file system`),
        seed: uuidFromSeed(seed, `${name} directory hash`),
        'read-only': partition.integrity === 'verity',
      })
      tasks.push(stepTask(fill, name))
      if (root) tasks.push(...(await planSealedKeys(files.plain, filled, sourceDateEpoch)))
    }
    if (partition.integrity === 'verity') {
      const salt = createHash('sha256').update(`${seed} ${name} verity salt`).digest('hex')
      tasks.push(stepTask(await planStep('disk/make-verity', {data: files.plain, salt, report: files.verity}), name))
    }
  }
  return tasks
}

/** The keys that lie in the root file system: not in the tree, which is kept between builds. */
function planSealedKeys(root: string, filled: readonly Filled[], sourceDateEpoch: number): Promise<Task[]> {
  return Promise.all(
    filled.filter(isSealed).map(async ({name, key}) => {
      const secret = {filesystem: root, path: sealedKeyPath(name), content: key}
      return stepTask(await planStep('disk/add-secret', {...secret, 'source-date-epoch': sourceDateEpoch}), name)
    }),
  )
}

/** Plan the headers of what is encrypted at build time. */
export async function planHeaders(filled: readonly Filled[], {seed}: {seed: string}): Promise<Task[]> {
  return Promise.all(
    filled.filter(isEncrypted).map(async ({name, files: {plain, header}, key}) => {
      const uuid = uuidFromSeed(seed, `${name} luks`)
      return stepTask(await planStep('disk/make-luks-header', {content: plain, header, 'key-file': key, uuid}), name)
    }),
  )
}

/** The parameters of every hash tree that planPlain has made, by the name of the partition. */
export async function readVerity(filled: readonly Filled[]): Promise<Record<string, VerityParameters>> {
  const found: Record<string, VerityParameters> = {}
  for (const {name, files} of filled) {
    if (existsSync(files.verity)) found[name] = JSON.parse(await readFile(files.verity, 'utf8')) as VerityParameters
  }
  return found
}
