import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import {mkdirPrivate, mkdirp, remove} from '../fs/index.js'
import type {Manifest} from '../manifest/index.js'
import {planStep, scriptsDirectory, stepTask, writeTask, type Task} from '../steps/index.js'
import {filledPartitions, isSealed, planPlain} from './content.js'
import {parsePackages} from './describe.js'
import type {SealRequest} from './seal.js'

/** Which part of a seal to do ahead. */
export interface PrepareRequest extends Pick<
  SealRequest,
  'name' | 'tree' | 'config' | 'distribution' | 'sourceDateEpoch' | 'extra' | 'contents'
> {
  /** Partitions that each image fills with something of its own: `contents` of planSeal. */
  perImage?: readonly string[]
}

/**
 * Plan all of a seal that depends on no key and on no site: file systems, hash trees, and files out of the tree. Any
 * number of seals, also at the same time, go on from there with `prepared`.
 *
 * The folder holds the system as it is before its encryption, so it is closed to other users. `isPrepared` tells
 * whether it is whole.
 * @param folder absolute path; emptied first
 */
export async function planPrepare(request: PrepareRequest, folder: string): Promise<Task[]> {
  const {perImage = []} = request
  const filled = filledPartitions({...request, prepared: undefined}, folder, folder)
  const own = filled.find(isSealed)
  if (own !== undefined) {
    throw new CcError(
      'E_LAYOUT',
      `${own.name}: a key that is 'sealed' into cc-root is of one image, and this root is for many`,
      {
        suggestions: ["choose the key source 'kbs' for it"],
      },
    )
  }
  // Every folder that becomes a partition is hidden from the root, also one that is filled later.
  const mine = filled.map((one) => (perImage.includes(one.name) ? {...one, content: null} : one))
  return [
    writeTask('prepare/start', `make ${folder}`, () => {
      remove(folder)
      mkdirPrivate(folder)
      return Promise.resolve()
    }),
    ...(await planPlain(mine, {seed: seedOf(request), sourceDateEpoch: request.sourceDateEpoch})),
    ...(await planTreeFiles(request, folder)),
  ]
}

/** What UUIDs and salts are made from. */
export const seedOf = ({distribution, name}: Pick<SealRequest, 'distribution' | 'name'>) => `${distribution} ${name}`

/** Programs of the image directory for the host that runs the image; sources in scripts/host. */
export const hostScripts = ['install_cc_image.sh', 'launch_cc_image.sh']

/** A file of the image directory that is the same for every image of a tree. */
export const treeFile = (folder: string, name: string) => join(folder, 'files', name)

/** What the software of the tree is, as the step tree/list-software prints it. */
export const softwareFile = (folder: string) => join(folder, 'software.json')

const packagesFile = (folder: string) => join(folder, 'packages')

/** Whether planPrepare was run to its end in a folder. */
export const isPrepared = (folder: string) => existsSync(packagesFile(folder))

/** The packages of the tree that a folder was filled from. */
export const readPackages = async (folder: string): Promise<Manifest['packages']> =>
  parsePackages(await readFile(packagesFile(folder), 'utf8'))

/** Kernel, initrd and further files out of the tree, the scripts for the host, and the list of packages, which is written last. */
export async function planTreeFiles(
  {tree, extra = {}}: Pick<SealRequest, 'tree' | 'extra'>,
  folder: string,
): Promise<Task[]> {
  const files = {...extra, vmlinuz: '/boot/vmlinuz', 'initrd.img': '/boot/initrd.img'}
  const copies = Object.entries(files).map(async ([name, path]) =>
    stepTask(await planStep('tree/copy-file', {tree, path, output: treeFile(folder, name)}), name),
  )
  const scripts = hostScripts.map(async (name) => {
    const script = join(scriptsDirectory(), 'host', name)
    return stepTask(await planStep('boot/make-host-script', {script, output: treeFile(folder, name)}), name)
  })
  const saved = async (id: string, file: string): Promise<Task> => {
    const task = stepTask(await planStep(id, {tree}))
    return {
      ...task,
      run: async (context) => {
        const printed = await task.run(context)
        await writeFile(file, printed)
        return printed
      },
    }
  }
  return [
    writeTask('seal/files', `make ${join(folder, 'files')}`, () => {
      mkdirp(join(folder, 'files'))
      return Promise.resolve()
    }),
    ...(await Promise.all(copies)),
    ...(await Promise.all(scripts)),
    await saved('tree/list-software', softwareFile(folder)),
    await saved('tree/list-packages', packagesFile(folder)),
  ]
}
