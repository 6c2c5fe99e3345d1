import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import type {ImageDirectory} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {mkdirPrivate, remove} from '../fs/index.js'
import {verifyContent, verifyFiles} from './verify.js'

/** Which image to open, and where its content goes. */
export interface OpenRequest {
  image: ImageDirectory
  /** The key of cc-root. */
  rootKey: string
  /** The tree to make. */
  tree: string
}

/**
 * Plan the opening of an image: the inverse of planSeal. Nothing is decrypted that is not as the manifest says. What partitions were filled with lies in the tree again where
 * it came from.
 * @param work a folder for intermediate files; emptied first and removed at the end
 * @throws E_IMAGE for an image that has no root partition of ours
 */
export async function planOpen({image, rootKey, tree}: OpenRequest, work: string): Promise<Task[]> {
  const {manifest} = image
  const sealed = join(work, 'sealed')
  const disk = image.file(`${manifest.name}.qcow2`)
  const filled = manifest.partitions
    .flatMap((partition) => (partition.from === null ? [] : [{...partition, from: partition.from}]))
    .sort((a, b) => a.from.length - b.from.length)
  if (filled[0]?.from !== '/') throw new CcError('E_IMAGE', `${image.path} has no root partition`)

  const tasks: Task[] = [
    writeTask('open/start', `compare the files of ${image.path} with its manifest, and empty ${work}`, async () => {
      await verifyFiles(image)
      remove(work)
      mkdirPrivate(work)
    }),
    stepTask(
      await planStep('disk/unpack-initrd', {
        initrd: image.file('initrd.img'),
        offset: manifest.initrd.sealOffset,
        output: sealed,
      }),
    ),
    stepTask(await planStep('tree/remove', {tree})),
  ]
  for (const partition of filled) {
    const data = join(work, `${partition.name}.data`)
    const read = {disk, output: data, offset: partition.start, size: partition.content?.bytes ?? 0}
    tasks.push(
      stepTask(await planStep('disk/read-partition', read), partition.name),
      writeTask(`open/verify:${partition.name}`, `compare ${data} with the manifest`, () =>
        verifyContent(image, partition, data),
      ),
    )
    if (partition.encryption === 'luks2') {
      const header = join(sealed, 'headers', `${partition.name}.luks`)
      const decrypt = await planStep('disk/decrypt-partition', {data, header, 'key-file': rootKey})
      tasks.push(stepTask(decrypt, partition.name))
    }
    const unpack = await planStep('disk/unpack-filesystem', {
      filesystem: data,
      tree: partition.from === '/' ? tree : `${tree}${partition.from}`,
    })
    tasks.push(stepTask(unpack, partition.name))
  }
  tasks.push(
    writeTask('open/end', `remove ${work}`, () => {
      remove(work)
      return Promise.resolve()
    }),
  )
  return tasks
}
