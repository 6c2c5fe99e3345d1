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
        const altered = await findAltered(image, scratch)
        const {artefacts, partitions} = manifest
        const filled = partitions.filter(({content}) => content !== null).map(({name}) => name)
        // What an image has, whatever its manifest leaves out.
        const verified = partitions.filter(({verity}) => verity !== null).map(({name}) => name)
        const names = [...new Set(['vmlinuz', 'initrd.img', 'cmdline', 'cc-root', ...verified])]
        return judgeAltered({checked: [...Object.keys(artefacts), ...filled], altered}, {names})
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
