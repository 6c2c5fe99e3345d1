import {existsSync} from 'node:fs'
import {open, readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import type {ManifestPartition} from 'cc-core/manifest'
import {skipped, type CheckTask, type Verdict} from 'cc-core/report'

import {lowestEntropy, randomBits} from '../image/entropy.js'
import {luksProblems} from '../image/luks.js'
import {searchFile} from '../image/search.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {judgeCiphertext, judgeHeaders, judgeVerity, type Bytes, type Headers} from '../judges/protection.js'

/** One check for each partition that was filled at build time: it is ciphertext, or it has its root hash. */
export function protectionChecks(subject: ImageUnderTest): CheckTask[] {
  const filled = subject.image.manifest.partitions.filter(({content}) => content !== null)
  const sealed = filled.filter((partition) => !isShippedPlain(partition))
  return [
    {
      id: 'luks-headers',
      title: 'LUKS headers are in the initrd only, in the one form',
      run: async () =>
        judgeHeaders(await headers(subject, filled), {
          headers: sealed.map(({name}) => `${name}.luks`),
          partitions: filled.map(({name}) => name),
        }),
    },
    ...filled.flatMap((partition): CheckTask[] => {
      const {verity} = partition
      return [
        ...(isShippedPlain(partition)
          ? []
          : [
              {
                id: `ciphertext-${partition.name}`,
                title: `${partition.name} is ciphertext`,
                run: async () =>
                  judgeCiphertext(await bytesOf(subject, partition), {bytes: partition.content?.bytes ?? 0}),
              },
            ]),
        ...(verity === null
          ? []
          : [
              {
                id: `verity-${partition.name}`,
                title: `${partition.name} has its root hash`,
                run: () => verify(subject, partition, verity),
              },
            ]),
      ]
    }),
  ]
}

/** The guest encrypts in place what has the key source tee-derived; until then it is protected by its root hash. */
const isShippedPlain = ({encryption, key}: ManifestPartition) => encryption === 'none' || key === 'tee-derived'

async function headers(subject: ImageUnderTest, filled: readonly ManifestPartition[]): Promise<Headers> {
  const folder = join(await subject.sealed(), 'headers')
  const found: Record<string, string[]> = {}
  for (const name of existsSync(folder) ? await readdir(folder) : [])
    found[name] = await luksProblems(join(folder, name), subject.signal)
  const onDisk: Record<string, boolean> = {}
  for (const partition of filled) onDisk[partition.name] = await hasLuksMagic(await subject.content(partition))
  return {found, onDisk}
}

async function bytesOf(subject: ImageUnderTest, partition: ManifestPartition): Promise<Bytes> {
  const file = await subject.content(partition)
  const {bits, offset, length} = await lowestEntropy(file)
  return {
    ...{bits, offset, randomBits: randomBits(length), length: (await stat(file)).size},
    ...{
      luks: await hasLuksMagic(file),
      filesystem: await plainFilesystem(file),
      known: await searchFile(file, knownText),
    },
  }
}

/** What every system of ours holds in many places, some of it uncompressed. */
const knownText = Object.fromEntries(
  ['/bin/bash', '#!/bin/sh\n', 'PRETTY_NAME=', 'Debian GNU/Linux', 'root:x:0:0', '/lib/systemd/systemd'].map((text) => [
    text.trim(),
    Buffer.from(text),
  ]),
)

/** The file system that a file begins with; null for none of those that our partitions have. */
async function plainFilesystem(file: string): Promise<string | null> {
  if (await hasExtMagic(file)) return 'ext4'
  // Compressed content is nearly as random as encrypted content: this tells them apart (struct squashfs_super_block).
  return (await readAt(file, 0, 4)).equals(Buffer.from('hsqs', 'latin1')) ? 'squashfs' : null
}

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

async function verify(
  subject: ImageUnderTest,
  partition: ManifestPartition,
  expected: NonNullable<ManifestPartition['verity']>,
): Promise<Verdict> {
  if (!isShippedPlain(partition)) return skipped('its content is encrypted: the boot verifies it')
  const {rootHash, salt, blocks} = expected
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
  const argv = ['veritysetup', 'verify', ...form, ...place, file, file, rootHash]
  const {exitCode, stderr} = await run(argv, {signal: subject.signal, check: false, collect: true})
  return judgeVerity({exitCode, said: stderr.trim().split('\n').at(-1) ?? ''}, {verity: expected})
}
