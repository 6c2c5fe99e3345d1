import {espName, typeGuids} from 'cc-core/layout'
import {failed, formatBytes, passed, verdictOf} from 'cc-core/report'
import type {DiskInfo, PartitionTable} from 'cc-core/vm'

import {judging} from './evidence.js'

/** The qcow2 leans on nothing but the root that its manifest names: whatever else there is is not of the image. */
export const judgeAlone = judging<
  Pick<DiskInfo, 'otherFiles' | 'encrypted' | 'snapshots' | 'virtualSize' | 'actualSize'>
>(
  'otherFiles',
  'encrypted',
  'snapshots',
  'virtualSize',
  'actualSize',
)(
  (
    {otherFiles, encrypted, snapshots, virtualSize, actualSize},
    {bytes, shared}: {bytes: number; shared?: string | undefined},
  ) =>
    verdictOf(
      [
        ...otherFiles.filter((file) => file !== shared).map((file) => `it needs ${file}`),
        ...(encrypted ? ['it has an encryption of its own'] : []),
        ...(snapshots > 0 ? [`it has ${snapshots} snapshots`] : []),
        ...(virtualSize === bytes ? [] : [`the disk has ${virtualSize} bytes, not ${bytes}`]),
      ],
      `${formatBytes(bytes)}, of which ${formatBytes(actualSize)} are stored${otherFiles.length > 0 ? `, on top of ${shared ?? ''}` : ''}`,
    ),
)

export interface DiskCheck {
  /** Of qemu-img check; null where it was killed. */
  exitCode: number | null
  said: string
}

export const judgeSound = judging<DiskCheck>(
  'exitCode',
  'said',
)(({exitCode, said}, {disk}: {disk: string}) =>
  exitCode === 0
    ? passed('qemu-img check found no error and no leak')
    : failed(said || `qemu-img check ended with status ${exitCode ?? 'none'}`, `qemu-img check ${disk}`),
)

export const judgeTable = judging<PartitionTable>(
  'label',
  'diskGuid',
  'partitions',
)((table, {partitions}: {partitions: readonly {name: string; start: number; size: number}[]}) =>
  partitions.length === 0
    ? failed('the manifest has no partition')
    : verdictOf(tableProblems(table, partitions), partitions.map(({name, start}) => `${name} at ${start}`).join(', ')),
)

export const judgeCopies = judging<{primary: PartitionTable; backup: PartitionTable}>(
  'primary',
  'backup',
)(({primary, backup}) => {
  if (JSON.stringify(primary) !== JSON.stringify(backup))
    return failed('the copy at the end of the disk differs from the one at its beginning')
  if (primary.label !== 'gpt' || primary.partitions.length === 0) return failed('neither copy is a GPT with partitions')
  return passed(`disk ${primary.diskGuid}`)
})

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
    else if (same.length > 1) problems.push(`${name} is used ${same.length} times`)
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
