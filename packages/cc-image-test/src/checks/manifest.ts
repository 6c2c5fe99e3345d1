import {lstatSync, readlinkSync} from 'node:fs'

import type {CheckTask} from 'cc-core/report'
import {findAltered} from 'cc-core/seal'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeAlias, judgeAltered, judgeManifest} from '../judges/manifest.js'

export function manifestChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, scratch} = subject
  const {manifest} = image
  return [
    {
      id: 'manifest',
      title: 'The manifest is valid',
      run: () => judgeManifest({manifest}),
    },
    {
      id: 'sha256',
      title: 'Every file and partition has its sha256',
      run: async () => {
        const filled = manifest.partitions.filter(({content}) => content !== null).map(({name}) => name)
        const names = [...Object.keys(manifest.artefacts), ...filled]
        return judgeAltered({altered: await findAltered(image, scratch)}, {names})
      },
    },
  ]
}

/** The other name of the disk. */
export function aliasCheck({image}: ImageUnderTest, alias: string): CheckTask {
  return {
    id: 'alias',
    title: `${alias}.qcow2 is the same disk`,
    run: () => {
      const path = image.file(`${alias}.qcow2`)
      const isLink = lstatSync(path, {throwIfNoEntry: false})?.isSymbolicLink() === true
      return judgeAlias({link: isLink ? readlinkSync(path) : null}, {path, target: `${image.manifest.name}.qcow2`})
    },
  }
}
