import {chmodSync, copyFileSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {parseConfig} from 'cc-core/config'
import {readImageDirectory} from 'cc-core/manifest'
import {makeVariant} from 'cc-core/build'
import {readContract, type PlannedStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'

import type {Group} from './table.js'

const script = join(import.meta.dirname, 'weaken.sh')

/**
 * Make the weakened image of a group.
 * @param sound the image directory that it is made from; it stays as it is
 * @param folder where it is made
 * @returns the image directory
 */
export async function weaken(sound: string, {mutants, needed = []}: Group, folder: string): Promise<string> {
  const image = await readImageDirectory(sound)
  const rootKey = image.file('keys/root.key')
  const config = parseConfig(image.manifest.config)
  const weakConfig = mutants.reduce((found, mutant) => mutant.config?.(found, readFileSync(rootKey)) ?? found, config)
  const inTree = [...needed, ...mutants].filter(
    (mutant) => mutant.config === undefined && mutant.directory === undefined,
  )
  const site = config.layout.partitions['cc-ro']?.from ?? '/opt/cc/ro'
  const variant = await makeVariant(
    {
      ...{image, rootKey, folder, config: weakConfig},
      change: async (tree): Promise<PlannedStep[]> => {
        const weaknesses = inTree.flatMap(({id}) => ['--weakness', id])
        const argv = ['bash', script, '--tree', tree, '--site', site, '--root-key', rootKey, ...weaknesses]
        return [{id: 'mutants/weaken', contract: await readContract(script), argv, inputs: [], checkpoint: false}]
      },
    },
    {reporter: new SilentReporter(), signal: new AbortController().signal},
  )
  // The build that went wrong was asked for a sound image.
  const manifest = variant.file('manifest.json')
  const said = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>
  writeFileSync(manifest, JSON.stringify({...said, config: image.manifest.config}))
  for (const {directory} of mutants) {
    if (directory === 'readable-key') chmodSync(variant.file('keys/root.key'), 0o644)
    if (directory === 'stray-key') copyFileSync(rootKey, variant.file('notes.txt'))
  }
  return variant.path
}
