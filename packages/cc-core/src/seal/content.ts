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
  /** The folder that fills it. */
  content: string
  /** What is made of it on the way to the disk. */
  files: {data: string; header: string; verity: string}
}

export interface ContentOptions {
  /** What UUIDs and salts are made from. */
  seed: string
  /** Folder of the keys. */
  keys: string
  /** In seconds since 1970. */
  sourceDateEpoch: number
}

/** The root first: its size matters most to whoever watches. */
export function filledPartitions({tree, config}: {tree: string; config: Config}, work: string): Filled[] {
  return Object.entries(config.layout.partitions).flatMap(([name, partition]) => {
    const from = partition.mount === '/' ? '' : partition.from
    if (from === null) return []
    const file = (suffix: string) => join(work, `${name}.${suffix}`)
    return [
      {
        name,
        partition,
        content: `${tree}${from}`,
        files: {data: file('data'), header: file('luks'), verity: file('verity.json')},
      },
    ]
  })
}

/** Whether it is encrypted at build time, with a header for the initrd. */
export const isEncrypted = ({name, partition}: Filled) =>
  partition.encryption === 'luks2' && headerPlace(name, partition) === 'initrd'

/** Plan what becomes of each folder before it is written to the disk: ext4 → hash tree → encryption, on plain files. */
export async function planContent(filled: readonly Filled[], options: ContentOptions): Promise<Task[]> {
  const {seed, keys, sourceDateEpoch} = options
  const tasks: Task[] = []
  for (const {name, partition, content, files} of filled) {
    const fill = await planStep('disk/make-filesystem', {
      content,
      output: files.data,
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
      tasks.push(stepTask(await planStep('disk/make-verity', {data: files.data, salt, report: files.verity}), name))
    }
    if (partition.encryption === 'luks2') {
      const encrypt = await planStep('disk/encrypt-partition', {
        data: files.data,
        header: files.header,
        'key-file': keyFile(keys, name),
        uuid: uuidFromSeed(seed, `${name} luks`),
      })
      tasks.push(stepTask(encrypt, name))
    }
  }
  return tasks
}

/** The parameters of every hash tree that planContent has made, by the name of the partition. */
export async function readVerity(filled: readonly Filled[]): Promise<Record<string, VerityParameters>> {
  const found: Record<string, VerityParameters> = {}
  for (const {name, files} of filled) {
    if (existsSync(files.verity)) found[name] = JSON.parse(await readFile(files.verity, 'utf8')) as VerityParameters
  }
  return found
}
