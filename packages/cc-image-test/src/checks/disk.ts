import {copyFile, open, readFile, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {SubprocessError, run} from 'cc-core/exec'
import {espName, typeGuids} from 'cc-core/layout'
import {failed, formatBytes, passed, verdictOf, type CheckTask} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'
import {inspectDisk, readPartitionTable, type PartitionTable} from 'cc-core/vm'

import type {ImageUnderTest} from '../image/under-test.js'

const sector = 512
/** What lies before the first partition and behind the last: the two copies of the table. */
const tableBytes = 34 * sector

export function diskChecks(subject: ImageUnderTest): CheckTask[] {
  const {disk, image, signal} = subject
  const tables = {
    primary: once(() => readCopy(subject, 'primary')),
    backup: once(() => readCopy(subject, 'backup')),
  }
  return [
    {
      id: 'qcow2-alone',
      title: 'The qcow2 needs no other file',
      run: async () => {
        const info = await inspectDisk(disk, signal)
        const expected = image.manifest.disk.bytes
        return verdictOf(
          [
            ...info.otherFiles.map((file) => `it needs ${file}`),
            ...(info.encrypted ? ['it has an encryption of its own'] : []),
            ...(info.snapshots > 0 ? [`it has ${info.snapshots} snapshots`] : []),
            ...(info.virtualSize === expected ? [] : [`the disk has ${info.virtualSize} bytes, not ${expected}`]),
          ],
          `${formatBytes(expected)}, of which ${formatBytes(info.actualSize)} are stored`,
        )
      },
    },
    {
      id: 'qcow2-sound',
      title: 'The structure of the qcow2 is sound',
      run: async () => {
        try {
          await run(['qemu-img', 'check', '--force-share', '-q', '-f', 'qcow2', disk], {signal})
          return passed('qemu-img check found no error and no leak')
        } catch (error) {
          if (!(error instanceof SubprocessError) || error.kind !== 'exited') throw error
          return failed(error.message.split('\n').slice(0, 3).join(' '), `qemu-img check ${disk}`)
        }
      },
    },
    {
      id: 'gpt',
      title: 'The partition table is that of the manifest',
      run: async () => {
        const table = await tables.primary()
        const {partitions} = image.manifest
        return verdictOf(
          tableProblems(table, partitions),
          partitions.map(({name, start}) => `${name} at ${start}`).join(', '),
        )
      },
    },
    {
      id: 'gpt-copies',
      title: 'Both copies of the partition table agree',
      run: async () => {
        const [primary, backup] = [await tables.primary(), await tables.backup()]
        return JSON.stringify(primary) === JSON.stringify(backup)
          ? passed(`disk ${primary.diskGuid}`)
          : failed('the copy at the end of the disk differs from the one at its beginning')
      },
    },
  ]
}

/** What of a table is not as the manifest says. */
export function tableProblems(
  {label, partitions}: PartitionTable,
  expected: readonly {name: string; start: number; size: number}[],
): string[] {
  const problems = label === 'gpt' ? [] : [`it is a ${label} table`]
  for (const {name, start, size} of expected) {
    const same = partitions.filter((partition) => partition.name === name)
    const [found] = same
    if (found === undefined) problems.push(`there is no ${name}`)
    else if (same.length > 1) problems.push(`${name} stands ${same.length} times`)
    else {
      if (found.start !== start) problems.push(`${name} begins at ${found.start}, not at ${start}`)
      if (found.size !== size) problems.push(`${name} has ${found.size} bytes, not ${size}`)
      // Any other type may be mounted by whoever finds it, and some attributes too.
      if (found.typeGuid !== (name === espName ? typeGuids.esp : typeGuids.linux))
        problems.push(`${name} is of type ${found.typeGuid}`)
      if (found.attributes !== '') problems.push(`${name} has the attributes ${found.attributes}`)
    }
  }
  for (const {name} of partitions) {
    if (!expected.some((partition) => partition.name === name)) problems.push(`'${name}' is not in the manifest`)
  }
  return problems
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
