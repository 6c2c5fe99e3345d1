import type {ManifestPartition} from 'cc-core/manifest'
import {failed, formatBytes, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

export interface Headers {
  /** What is wrong with each header of the initrd, by its name. */
  found: Readonly<Record<string, readonly string[]>>
  /** Whether each partition that was filled begins with a LUKS header. */
  onDisk: Readonly<Record<string, boolean>>
}

/** LUKS headers are in the initrd only, in the one form. */
export const judgeHeaders = judging<Headers>(
  'found',
  'onDisk',
)(({found, onDisk}, {headers, partitions}: {headers: readonly string[]; partitions: readonly string[]}) => {
  const names = Object.keys(found)
  const problems = [
    ...(partitions.length === 0 ? ['the manifest describes no content of a partition'] : []),
    ...names.filter((name) => !headers.includes(name)).map((name) => `${name} belongs to no partition`),
    ...headers.flatMap((name) =>
      found[name] === undefined ? [`${name} is not in the initrd`] : found[name].map((what) => `${name}: ${what}`),
    ),
    ...partitions.flatMap((name) => {
      if (onDisk[name] === undefined) return [`${name} was not read`]
      return onDisk[name] ? [`${name} begins with a LUKS header`] : []
    }),
  ]
  return verdictOf(problems, `${headers.join(', ') || 'none'}: aes-xts-plain64, one segment, one keyslot, no tokens`)
})

export interface Bytes {
  /** How many were read. */
  length: number
  luks: boolean
  /** The file system that it begins with, by its name; null for none. */
  filesystem: string | null
  /** Texts that every system holds, as far as they were found. */
  known: readonly string[]
  /** The lowest entropy of a sample, in bits per byte, and where. */
  bits: number
  offset: number
  /** What random bytes have at least, in a sample of that size. */
  randomBits: number
}

export const judgeCiphertext = judging<Bytes>(
  'length',
  'luks',
  'filesystem',
  'known',
  'bits',
  'offset',
  'randomBits',
)(({length, luks, filesystem, known, bits, offset, randomBits}, {bytes}: {bytes: number}) => {
  const problems: string[] = []
  if (length !== bytes || bytes === 0) problems.push(`${length} of ${bytes} bytes were read`)
  if (luks) problems.push('it begins with a LUKS header')
  if (filesystem !== null) problems.push(`it begins with the file system ${filesystem}`)
  problems.push(...known.map((text) => `it holds '${text}' in plain`))
  if (!(bits >= randomBits)) problems.push(`${bits.toFixed(4)} bits per byte at ${offset}: not random`)
  return verdictOf(problems, `no known text in ${formatBytes(bytes)}, at least ${bits.toFixed(4)} bits per byte`)
})

export interface VerityCheck {
  /** Of veritysetup verify. */
  exitCode: number
  said: string
}

export const judgeVerity = judging<VerityCheck>(
  'exitCode',
  'said',
)(({exitCode, said}, {verity}: {verity: NonNullable<ManifestPartition['verity']>}) => {
  if (!/^[0-9a-f]{64}$/.test(verity.rootHash) || verity.blocks === 0) return failed('the manifest has no root hash')
  return exitCode === 0
    ? passed(`${verity.rootHash} over ${verity.blocks} blocks`)
    : failed(`its content does not have the root hash ${verity.rootHash}: ${said}`)
})
