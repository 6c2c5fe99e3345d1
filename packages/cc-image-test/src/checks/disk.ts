import {copyFile, open, readFile, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {SubprocessError, run} from 'cc-core/exec'
import {sharedPath} from 'cc-core/manifest'
import type {CheckTask} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'
import {inspectDisk, readPartitionTable, type PartitionTable} from 'cc-core/vm'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeAlone, judgeCopies, judgeSound, judgeTable, type DiskCheck} from '../judges/disk.js'

const sector = 512
/** What lies before the first partition and behind the last: the two copies of the table. */
const tableBytes = 34 * sector

export function diskChecks(subject: ImageUnderTest): CheckTask[] {
  const {disk, image, signal} = subject
  const {manifest} = image
  const tables = {
    primary: once(() => readCopy(subject, 'primary')),
    backup: once(() => readCopy(subject, 'backup')),
  }
  return [
    {
      id: 'qcow2-alone',
      title: 'The qcow2 needs no other file than its manifest names',
      run: async () =>
        judgeAlone(await inspectDisk(disk, signal), {
          bytes: manifest.disk.bytes,
          shared: manifest.shared && sharedPath(manifest.shared.name),
        }),
    },
    {
      id: 'qcow2-sound',
      title: 'The structure of the qcow2 is sound',
      run: async () => judgeSound(await checkDisk(subject), {disk}),
    },
    {
      id: 'gpt',
      title: 'The partition table is that of the manifest',
      run: async () => judgeTable(await tables.primary(), manifest),
    },
    {
      id: 'gpt-copies',
      title: 'Both copies of the partition table agree',
      run: async () => judgeCopies({primary: await tables.primary(), backup: await tables.backup()}),
    },
  ]
}

async function checkDisk({disk, signal}: ImageUnderTest): Promise<DiskCheck> {
  try {
    await run(['qemu-img', 'check', '--force-share', '-q', '-f', 'qcow2', disk], {signal})
    return {exitCode: 0, said: ''}
  } catch (error) {
    if (!(error instanceof SubprocessError) || error.kind !== 'exited') throw error
    return {exitCode: error.details.exitCode ?? null, said: error.message.split('\n').slice(0, 3).join(' ')}
  }
}

/** One copy of the table alone: a sparse file with the other one missing, so that sfdisk can take no other. */
async function readCopy(subject: ImageUnderTest, copy: 'primary' | 'backup'): Promise<PartitionTable> {
  const {disk, image, scratch, signal} = subject
  const {bytes} = image.manifest.disk
  const file = join(scratch, `table-${copy}`)
  const read = async (offset: number) => {
    const output = join(scratch, `table-${copy}-${offset}`)
    await callStep(await planStep('disk/read-partition', {disk, output, offset, size: tableBytes}), {signal})
    return output
  }
  const head = await read(0)
  if (copy === 'primary') await copyFile(head, file)
  // The protective MBR in the first sector says that there is a GPT at all.
  else await writeFile(file, (await readFile(head)).subarray(0, sector))
  await truncate(file, bytes)
  if (copy === 'backup') {
    const handle = await open(file, 'r+')
    await handle.write(await readFile(await read(bytes - tableBytes)), 0, tableBytes, bytes - tableBytes)
    await handle.close()
  }
  return readPartitionTable(file, signal)
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
