import {mkdir, stat, symlink} from 'node:fs/promises'
import {join} from 'node:path'

import {bootConf, kernelCommandLine} from '../boot/index.js'
import {encodeImageConfig, type Config} from '../config/index.js'
import {atomicWrite, mkdirPrivate, remove} from '../fs/index.js'
import {computeLayout, type DiskLayout} from '../layout/index.js'
import {describeFile, type Manifest} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {filledPartitions, isEncrypted, planContent, readVerity, type Filled} from './content.js'
import {describePartitions, parsePackages} from './describe.js'
import type {OutputPaths} from './folder.js'
import {keyFile, makeKey} from './keys.js'
import {sfdiskScript} from './table.js'

/** What an image is made of. */
export interface SealRequest {
  /** Name of the image directory and of the qcow2. */
  name: string
  stage: Manifest['stage']
  /** Further names of the qcow2, as links beside it. */
  aliases: readonly string[]
  tree: string
  config: Config
  distribution: string
  source: Manifest['source']
  sourceDateEpoch: number
  buildKey: string
  /** Name and version of the command, for the manifest. */
  tool: string
  /** A key for cc-root instead of a new random one. */
  rootKey: string | null
  /** Further files of the image directory, by name: their paths in the tree. */
  extra?: Readonly<Record<string, string>>
}

/** What one seal knows from its first task to its last. */
interface Sealing {
  request: SealRequest
  filled: readonly Filled[]
  /** Folder for intermediate files. */
  work: string
  /** Where the image directory is made. */
  target: string
  /** What UUIDs are made from. */
  seed: string
  disk: string
  /** The partition table, as an sfdisk script. */
  table: string
  conf: string
  /** What the tasks find out for the manifest. */
  found: {layout?: DiskLayout; sealOffset: number; packages: Manifest['packages']}
}

/**
 * Plan the sealing of a tree: content → file systems → verity → encryption → disk → initrd → manifest.
 * @param work a folder for intermediate files; emptied first
 * @param output only its `partial` is written; publishing it is the caller's
 * @returns the tasks in order
 */
export async function planSeal(request: SealRequest, work: string, output: OutputPaths): Promise<Task[]> {
  const sealing: Sealing = {
    ...{request, work, filled: filledPartitions(request, work), target: output.partial},
    seed: `${request.distribution} ${request.name}`,
    disk: join(output.partial, `${request.name}.qcow2`),
    table: join(work, 'table'),
    conf: join(work, 'boot.conf'),
    found: {sealOffset: 0, packages: []},
  }
  const {filled, seed} = sealing
  const keys = join(output.partial, 'keys')
  return [
    writeTask('seal/start', `make ${keys}`, async () => {
      remove(work)
      mkdirPrivate(work)
      await mkdir(keys, {mode: 0o700})
      for (const {name} of filled.filter(isEncrypted)) await makeKey(keyFile(keys, name), request.rootKey)
    }),
    ...(await planContent(filled, {seed, keys, sourceDateEpoch: request.sourceDateEpoch})),
    ...(await planDisk(sealing)),
    ...(await planBootFiles(sealing)),
    ...(await planManifest(sealing)),
  ]
}

/** Where each partition lies, boot.conf, and the disk with its content. */
async function planDisk({request, filled, seed, disk, table, conf, found}: Sealing): Promise<Task[]> {
  const {config} = request
  const {partitions} = config.layout
  const layout = writeTask('seal/layout', `write the partition table and boot.conf: ${table}, ${conf}`, async () => {
    const requests = Object.entries(partitions).map(async ([name, {size, grow}]) => {
      const data = filled.find((candidate) => candidate.name === name)?.files.data
      return {name, contentBytes: data === undefined ? 0 : (await stat(data)).size, size, grow}
    })
    found.layout = computeLayout({partitions: await Promise.all(requests), diskSize: config.layout.size, seed})
    await atomicWrite(table, sfdiskScript(found.layout))
    const {overlaySize} = config.layout
    const verity = await readVerity(filled)
    await atomicWrite(conf, bootConf({profile: config.profile, partitions, verity, overlaySize}))
  })
  const tasks = [layout, stepTask(await planStep('disk/make-disk', {output: disk, table}))]
  for (const {name, files} of filled) {
    const place = await planStep('disk/place-partition', {disk, table, name, content: files.data})
    tasks.push(stepTask(place, name))
  }
  return tasks
}

/** Kernel, initrd with the sealing archive, and further files out of the tree. */
async function planBootFiles({request, filled, work, target, conf, found}: Sealing): Promise<Task[]> {
  const {tree, sourceDateEpoch, extra = {}} = request
  const osInitrd = join(work, 'initrd.img')
  const copies = {
    ...Object.fromEntries(Object.entries(extra).map(([file, path]) => [file, {path, output: join(target, file)}])),
    vmlinuz: {path: '/boot/vmlinuz', output: join(target, 'vmlinuz')},
    'initrd.img': {path: '/boot/initrd.img', output: osInitrd},
  }
  const tasks: Task[] = []
  for (const [name, copy] of Object.entries(copies))
    tasks.push(stepTask(await planStep('tree/copy-file', {tree, ...copy}), name))
  const initrd = await planStep('disk/make-initrd', {
    initrd: osInitrd,
    'boot-conf': conf,
    header: filled.filter(isEncrypted).map(({files}) => files.header),
    output: join(target, 'initrd.img'),
    'source-date-epoch': sourceDateEpoch,
  })
  tasks.push(readingTask(stepTask(initrd), (offset) => (found.sealOffset = Number(offset))))
  return tasks
}

async function planManifest({request, filled, work, target, found}: Sealing): Promise<Task[]> {
  const {tree, config, name, aliases, extra = {}} = request
  const {stage, tool, distribution, source, sourceDateEpoch, buildKey} = request
  const list = stepTask(await planStep('tree/list-packages', {tree}))
  const write = writeTask('seal/manifest', `write cmdline and manifest.json in ${target}`, async () => {
    const cmdline = kernelCommandLine({console: config.boot.console, extra: config.boot.cmdline})
    await atomicWrite(join(target, 'cmdline'), `${cmdline}\n`)
    const artefacts: Manifest['artefacts'] = {}
    for (const file of ['vmlinuz', 'initrd.img', 'cmdline', ...Object.keys(extra)])
      artefacts[file] = await describeFile(join(target, file))
    if (found.layout === undefined) throw new Error('the layout was not computed')
    const manifest: Manifest = {
      ...{version: 1, name, stage, tool, profile: config.profile, config: encodeImageConfig(config)},
      ...{distribution, source, sourceDateEpoch, buildKey, cmdline},
      initrd: {sealOffset: found.sealOffset},
      disk: {bytes: found.layout.diskBytes},
      partitions: await describePartitions(found.layout, config.layout.partitions, filled),
      packages: found.packages,
      artefacts,
    }
    await atomicWrite(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    for (const alias of aliases) await symlink(`${name}.qcow2`, join(target, `${alias}.qcow2`))
    remove(work)
  })
  return [readingTask(list, (text) => (found.packages = parsePackages(text))), write]
}

/** A task whose output is also read here. */
function readingTask(task: Task, read: (output: string) => void): Task {
  return {
    ...task,
    run: async (context) => {
      const output = await task.run(context)
      read(output)
      return output
    },
  }
}
