import {existsSync} from 'node:fs'
import {open, readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {SubprocessError, run} from 'cc-core/exec'
import type {ManifestPartition} from 'cc-core/manifest'
import {failed, formatBytes, passed, skipped, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'

import {lowestEntropy, randomBits} from '../image/entropy.js'
import {luksProblems} from '../image/luks.js'
import {searchFile} from '../image/search.js'
import type {ImageUnderTest} from '../image/under-test.js'

/** One check for each partition that was filled at build time: it is ciphertext, or it has its root hash. */
export function protectionChecks(subject: ImageUnderTest): CheckTask[] {
  const filled = subject.image.manifest.partitions.filter(({content}) => content !== null)
  return [
    {
      id: 'luks-headers',
      title: 'LUKS headers are in the initrd only, in the one form',
      run: () => headers(subject, filled),
    },
    ...filled.flatMap((partition) => [
      ...(isShippedPlain(partition)
        ? []
        : [
            {
              id: `ciphertext-${partition.name}`,
              title: `${partition.name} is ciphertext`,
              run: () => ciphertext(subject, partition),
            },
          ]),
      ...(partition.verity === null
        ? []
        : [
            {
              id: `verity-${partition.name}`,
              title: `${partition.name} has its root hash`,
              run: () => verity(subject, partition),
            },
          ]),
    ]),
  ]
}

/** The guest encrypts in place what has the key source tee-derived; until then it is protected by its root hash. */
const isShippedPlain = ({encryption, key}: ManifestPartition) => encryption === 'none' || key === 'tee-derived'

async function headers(subject: ImageUnderTest, filled: readonly ManifestPartition[]): Promise<Verdict> {
  const folder = join(await subject.sealed(), 'headers')
  const found = existsSync(folder) ? await readdir(folder) : []
  const expected = filled.filter((partition) => !isShippedPlain(partition)).map(({name}) => `${name}.luks`)
  const problems = found.filter((name) => !expected.includes(name)).map((name) => `${name} belongs to no partition`)
  for (const name of expected) {
    if (!found.includes(name)) problems.push(`${name} is not in the initrd`)
    else problems.push(...(await luksProblems(join(folder, name), subject.signal)).map((what) => `${name}: ${what}`))
  }
  for (const partition of filled) {
    if (await hasLuksMagic(await subject.content(partition)))
      problems.push(`${partition.name} begins with a LUKS header`)
  }
  return verdictOf(problems, `${expected.join(', ')}: aes-xts-plain64, one segment, one keyslot, no tokens`)
}

async function ciphertext(subject: ImageUnderTest, partition: ManifestPartition): Promise<Verdict> {
  const file = await subject.content(partition)
  const problems: string[] = []
  if (await hasLuksMagic(file)) problems.push('it begins with a LUKS header')
  if (await hasExtMagic(file)) problems.push('it begins with an ext4 file system')
  const known = await searchFile(file, knownText)
  problems.push(...known.map((text) => `it holds '${text}' in plain`))
  const {bits, offset, length} = await lowestEntropy(file)
  if (bits < randomBits(length)) problems.push(`${bits.toFixed(4)} bits per byte at ${offset}: not random`)
  return verdictOf(
    problems,
    `no known text in ${formatBytes(partition.content?.bytes ?? 0)}, at least ${bits.toFixed(4)} bits per byte`,
  )
}

/** What every system of ours holds in many places, some of it uncompressed. */
const knownText = Object.fromEntries(
  ['/bin/bash', '#!/bin/sh\n', 'PRETTY_NAME=', 'Debian GNU/Linux', 'root:x:0:0', '/lib/systemd/systemd'].map((text) => [
    text.trim(),
    Buffer.from(text),
  ]),
)

/** The magic is two bytes, which random data may have; the revision makes that unlikely (ext4(5), struct ext4_super_block). */
async function hasExtMagic(file: string): Promise<boolean> {
  const superblock = await readAt(file, 1024, 1024)
  if (superblock.length < 1024) return false
  return superblock.readUInt16LE(0x38) === 0xef53 && superblock.readUInt32LE(0x4c) <= 1
}

async function hasLuksMagic(file: string): Promise<boolean> {
  return (await readAt(file, 0, 6)).equals(Buffer.from('LUKS\xba\xbe', 'latin1'))
}

async function readAt(file: string, offset: number, length: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    const {buffer, bytesRead} = await handle.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

async function verity(subject: ImageUnderTest, partition: ManifestPartition): Promise<Verdict> {
  if (partition.verity === null) return failed('the manifest has no root hash')
  if (!isShippedPlain(partition)) return skipped('its content is encrypted: the boot verifies it')
  const {rootHash, salt, blocks} = partition.verity
  const file = await subject.content(partition)
  const form = [
    '--no-superblock',
    '--format',
    '1',
    '--hash',
    'sha256',
    '--data-block-size',
    '4096',
    '--hash-block-size',
    '4096',
  ]
  const place = ['--data-blocks', String(blocks), '--hash-offset', String(blocks * 4096), '--salt', salt]
  try {
    await run(['veritysetup', 'verify', ...form, ...place, file, file, rootHash], {signal: subject.signal})
    return passed(`${rootHash} over ${blocks} blocks`)
  } catch (error) {
    if (!(error instanceof SubprocessError) || error.kind !== 'exited') throw error
    return failed(`its content does not have the root hash ${rootHash}: ${error.stderr.split('\n').at(-1) ?? ''}`)
  }
}
