import {existsSync} from 'node:fs'
import {mkdir, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

import {asBuilder, removeTree, repository} from './lab.js'
import type {Measurement} from './measure.js'

/** Content of the layers in MB, lowest first: the two of an Ubuntu server, and some small ones over them. */
const sizes = [272, 668, 10, 10, 10, 10]

/**
 * unsquashfs of each layer into a folder of its own, where ids can be given away. 2 means that single entries failed.
 * Without attributes: where trusted.* cannot be set, as here, it would end at the first one of an overlay.
 */
const reference = [
  'unshare',
  ...['--user', '--map-root-user', '--map-auto', '--mount', '--', 'bash', '-c'],
  'for file in "${@:2}"; do unsquashfs -quiet -no-progress -no-xattrs -dest "$1/${file##*/}" "$file" ||\n' +
    '(($? == 2)) || exit; done',
  'bash',
]

/** Merging some layers into one tree, beside unsquashfs of the same ones. */
export interface LayerMeasurement {
  layers: number
  ours: Measurement
  reference: Measurement
  ratio: number
}

/** How long two layers take and how long all take, in the middle one of some runs. The layers are made once. */
export async function measureLayers(cache: string, lab: string, runs = 3): Promise<LayerMeasurement[]> {
  const folder = join(cache, 'layers')
  if (!existsSync(folder)) {
    const partial = `${folder}.partial`
    await rm(partial, {recursive: true, force: true})
    await mkdir(partial, {recursive: true})
    await run(['python3', join(import.meta.dirname, 'make-layers.py'), partial, ...sizes.map(String)], {
      timeoutMs: 3_600_000,
    })
    await rename(partial, folder)
  }
  const files = sizes.map((_, number) => join(folder, `${number}.squashfs`))
  return [await measureMerge(lab, files.slice(0, 2), runs), await measureMerge(lab, files, runs)]
}

async function measureMerge(lab: string, files: readonly string[], runs: number): Promise<LayerMeasurement> {
  const step = join(repository, 'scripts/source/unpack-layers.sh')
  const tree = join(lab, 'work/layers')
  const pairs: {ours: Measurement; reference: Measurement}[] = []
  for (let round = 0; round < runs; round += 1) {
    await asBuilder(['mkdir', '-p', tree])
    const plain = await asBuilder([...reference, tree, ...files])
    await removeTree(tree)
    const ours = await asBuilder(['bash', step, '--tree', tree, ...files.flatMap((file) => ['--layer', file])])
    await removeTree(tree)
    pairs.push({ours, reference: plain})
  }
  // Whatever else the machine does meets both of a pair, so the ratio is that of one pair: the middle one.
  const ratios = pairs.map((pair) => ({...pair, ratio: pair.ours.seconds / pair.reference.seconds}))
  const middle = ratios.toSorted((one, other) => one.ratio - other.ratio)[Math.floor(runs / 2)]
  if (middle === undefined) throw new Error('no layers were measured')
  return {layers: files.length, ...middle}
}
