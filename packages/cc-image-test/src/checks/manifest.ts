import type {CheckTask} from 'cc-core/report'
import {failed, passed, verdictOf} from 'cc-core/report'
import {lstatSync, readlinkSync} from 'node:fs'

import {findAltered} from 'cc-core/seal'

import type {ImageUnderTest} from '../image/under-test.js'

/** What only a manifest says that was written by something else, or by hand. */
export function manifestProblems({image}: Pick<ImageUnderTest, 'image'>): string[] {
  const {disk, partitions, artefacts} = image.manifest
  const problems: string[] = []
  for (const name of ['vmlinuz', 'initrd.img', 'cmdline']) {
    if (!Object.hasOwn(artefacts, name)) problems.push(`it does not describe ${name}`)
  }
  for (const name of Object.keys(artefacts)) {
    if (!/^\w[\w.-]*$/.test(name)) problems.push(`'${name}' is no file name`)
  }
  if (!partitions.some(({name, mount}) => name === 'cc-root' && mount === '/')) problems.push('it has no cc-root at /')
  let end = 0
  for (const {name, start, size, content, integrity, verity} of partitions) {
    if (partitions.filter((other) => other.name === name).length > 1) problems.push(`${name} stands twice`)
    if (start < end) problems.push(`${name} begins inside the partition before it`)
    end = start + size
    if (content !== null && content.bytes > size) problems.push(`the content of ${name} is larger than ${name}`)
    if ((integrity === 'verity') !== (verity !== null))
      problems.push(`${name} has integrity ${integrity}, but verity does not fit`)
  }
  if (end > disk.bytes) problems.push(`the last partition ends at ${end}, behind the disk of ${disk.bytes} bytes`)
  return problems
}

export function manifestChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, scratch} = subject
  const {manifest} = image
  return [
    {
      id: 'manifest',
      title: 'The manifest is valid',
      run: () => {
        const {stage, distribution, partitions, packages} = manifest
        const detail = `${stage} image of ${distribution}: ${partitions.length} partitions, ${packages.length} packages`
        return verdictOf(manifestProblems(subject), detail)
      },
    },
    {
      id: 'sha256',
      title: 'Every file and partition has its sha256',
      run: async () => {
        const altered = await findAltered(image, scratch)
        const filled = manifest.partitions.filter(({content}) => content !== null).map(({name}) => name)
        const detail = [...Object.keys(manifest.artefacts), ...filled].join(', ')
        return verdictOf(
          altered.map(({name, reason}) => `${name} ${reason}`),
          detail,
        )
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
      const target = `${image.manifest.name}.qcow2`
      const path = image.file(`${alias}.qcow2`)
      if (!lstatSync(path, {throwIfNoEntry: false})?.isSymbolicLink()) return failed(`${path} is not a symbolic link`)
      const found = readlinkSync(path)
      return found === target ? passed(`a link to ${target}`) : failed(`it links to '${found}', not to ${target}`)
    },
  }
}
