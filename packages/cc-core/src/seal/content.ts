import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {headerPlace, type VerityParameters} from '../boot/index.js'
import type {Config, Partition} from '../config/index.js'
import {uuidFromSeed} from '../layout/index.js'
import {planStep, stepTask, type Task} from '../steps/index.js'
import {keyFile} from './keys.js'

/** A partition that gets its content now, rather than at boot. */
export interface Filled {
  name: string
  partition: Partition
  /** The folder that fills it; null where its plain content was prepared. */
  content: string | null
  /**
   * What is made of it on the way to the disk. `plain` is the file system with its hash tree, `data` the bytes of the
   * partition: another file only where `plain` has to stay as it is.
   */
  files: {plain: string; data: string; header: string; verity: string}
}

/** What fills the partitions, and with what they are laid out. */
export interface FilledRequest {
  tree: string
  config: Config
  /** The folder that planPrepare has filled. */
  prepared?: string | undefined
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
 */
export function filledPartitions({tree, config, prepared, contents = {}}: FilledRequest, work: string): Filled[] {
  return Object.entries(config.layout.partitions).flatMap(([name, partition]) => {
    const from = partition.mount === '/' ? '' : partition.from
    if (from === null) return []
    const own = contents[name]
    const shared = prepared !== undefined && own === undefined ? prepared : null
    const {plain, verity} = contentFiles(shared ?? work, name)
    const copied = shared !== null && isEncrypted({name, partition})
    return [
      {
        name,
        partition,
        content: shared === null ? (own ?? `${tree}${from}`) : null,
        files: {plain, data: copied ? join(work, `${name}.data`) : plain, header: join(work, `${name}.luks`), verity},
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

/** Plan what becomes of each folder before it is encrypted: ext4 → hash tree, in one plain file. It depends on no key. */
export async function planPlain(filled: readonly Filled[], options: ContentOptions): Promise<Task[]> {
  const {seed, sourceDateEpoch} = options
  const tasks: Task[] = []
  for (const {name, partition, content, files} of filled) {
    if (content === null) continue
    const fill = await planStep('disk/make-filesystem', {
      content,
      output: files.plain,
      label: name.slice(0, 16),
      uuid: uuidFromSeed(seed, `${name} file system`),
      seed: uuidFromSeed(seed, `${name} directory hash`),
      without: partition.mount === '/' ? filled.flatMap((other) => other.partition.from ?? []) : [],
      'read-only': partition.integrity === 'verity',
      'source-date-epoch': sourceDateEpoch,
    })
    tasks.push(stepTask(fill, name))
    if (partition.integrity === 'verity') {
      const salt = createHash('sha256').update(`${seed} ${name} verity salt`).digest('hex')
      tasks.push(stepTask(await planStep('disk/make-verity', {data: files.plain, salt, report: files.verity}), name))
    }
  }
  return tasks
}

/** Plan the encryption of plain contents: of a copy of what was prepared, since that is for others too. */
export async function planEncryption(
  filled: readonly Filled[],
  {seed, keys}: {seed: string; keys: string},
): Promise<Task[]> {
  return Promise.all(
    filled.filter(isEncrypted).map(async ({name, files}) => {
      const encrypt = await planStep('disk/encrypt-partition', {
        from: files.plain === files.data ? undefined : files.plain,
        data: files.data,
        header: files.header,
        'key-file': keyFile(keys, name),
        uuid: uuidFromSeed(seed, `${name} luks`),
      })
      return stepTask(encrypt, name)
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
