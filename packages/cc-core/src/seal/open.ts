import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import type {ImageDirectory, ManifestPartition} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {mkdirPrivate, remove} from '../fs/index.js'
import {keyFile, sealedKeyPath} from './keys.js'
import {verifyFiles} from './verify.js'

/** Which image to open, and where its content goes. */
export interface OpenRequest {
  image: ImageDirectory
  /** The key of cc-root. */
  rootKey: string
  /** The tree to make. */
  tree: string
}

/**
 * Plan the opening of an image: the inverse of planSeal. There is no tree of what is not as the manifest says. What
 * partitions were filled with lies in the tree again where it came from.
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
  // Each has a key of its own; in older images the root key opens all.
  const keyOf = ({name, key}: ManifestPartition) => {
    if (name === 'cc-root') return rootKey
    if (key === 'sealed') return keyFile(work, name)
    const own = keyFile(image.file('keys'), name)
    return existsSync(own) ? own : rootKey
  }
  for (const partition of filled) {
    const {name, start, content, encryption, key, from, filesystem = 'ext4'} = partition
    if (content === null) throw new CcError('E_IMAGE', `${image.path} does not say what ${name} holds`)
    // What the guest encrypts in place was shipped in the clear.
    const encrypted = encryption === 'luks2' && key !== 'tee-derived'
    if (encrypted && key === 'sealed') {
      const copy = {tree, path: sealedKeyPath(name), output: keyOf(partition), private: true}
      tasks.push(stepTask(await planStep('tree/copy-file', copy), name))
    }
    const unpack = await planStep('disk/unpack-partition', {
      ...{disk, name, filesystem, offset: start, size: content.bytes, sha256: content.sha256},
      header: encrypted ? join(sealed, 'headers', `${name}.luks`) : undefined,
      'key-file': encrypted ? keyOf(partition) : undefined,
      tree: from === '/' ? tree : `${tree}${from}`,
    })
    tasks.push(stepTask(unpack, name))
  }
  tasks.push(
    writeTask('open/end', `remove ${work}`, () => {
      remove(work)
      return Promise.resolve()
    }),
  )
  return tasks
}
