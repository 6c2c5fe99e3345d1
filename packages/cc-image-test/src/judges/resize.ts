import type {ManifestPartition} from 'cc-core/manifest'
import {failed, formatBytes, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

export interface Grown {
  virtualSize: number
  ms: number
}

export const judgeGrownDisk = judging<Grown>(
  'virtualSize',
  'ms',
)(({virtualSize, ms}, {before, bytes}: {before: number; bytes: number}) =>
  virtualSize === bytes
    ? passed(`${formatBytes(before)} → ${formatBytes(virtualSize)} in ${ms} ms`)
    : failed(`the disk has ${virtualSize} bytes, not ${bytes}`),
)

export const judgeGrownManifest = judging<{bytes: number}>('bytes')(({bytes}, {wanted}: {wanted: number}) =>
  bytes === wanted ? passed(`${bytes} bytes`) : failed(`it says ${bytes} bytes, not ${wanted}`),
)

type Place = Pick<ManifestPartition, 'name' | 'start' | 'size' | 'grow'>

/** Nothing but the partition that grows has another place or size. */
export const judgeUnmoved = judging<{partitions: readonly Place[]}>('partitions')((
  {partitions},
  {before}: {before: readonly Place[]},
) => {
  const moved = before.filter(({name, start, size, grow}) => {
    const after = partitions.find((one) => one.name === name)
    return after?.start !== start || (!grow && after.size !== size)
  })
  const strangers = partitions.filter(({name}) => !before.some((one) => one.name === name))
  const problems = [...moved.map(({name}) => `${name} has changed`), ...strangers.map(({name}) => `${name} is new`)]
  if (before.length === 0) problems.push('the image has no partition')
  return verdictOf(problems, 'starts and sizes are as before')
})
