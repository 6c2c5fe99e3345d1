import {constants, copyFile, mkdir, stat, symlink} from 'node:fs/promises'
import {join} from 'node:path'

import {bootConf, imageCommandLine, journalBehind} from '../boot/index.js'
import {encodeImageConfig, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {atomicWrite, mkdirPrivate, remove} from '../fs/index.js'
import {computeLayout, type DiskLayout} from '../layout/index.js'
import {describeFile, type Artefact, type Manifest} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {
  filledPartitions,
  isEncrypted,
  isEncryptedInPlace,
  planEncryption,
  planPlain,
  readVerity,
  type Filled,
} from './content.js'
import {describePartitions} from './describe.js'
import type {OutputPaths} from './folder.js'
import {makeKey} from './keys.js'
import {planTreeFiles, readPackages, seedOf, treeFile} from './prepare.js'
import {sfdiskScript} from './table.js'

/** What an image is made of. */
export interface SealRequest {
  /** Name of the image directory and of the qcow2. */
  name: string
  stage: Manifest['stage']
  /** Further names of the qcow2, as links beside it. */
  aliases: readonly string[]
  /** Not read for what was prepared. */
  tree: string
  /** What planPrepare has made of the tree: only what is left is done. It is not changed. */
  prepared?: string
  /** Folders that fill partitions instead of those of the tree, by the name of the partition. */
  contents?: Readonly<Record<string, string>>
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
  /** What the manifest says of it. */
  amd?: Manifest['amd']
}

/** What one seal knows from its first task to its last. */
interface Sealing {
  request: SealRequest
  filled: readonly Filled[]
  /** Folder for intermediate files. */
  work: string
  /** Where the files out of the tree are: what was prepared, or the folder for intermediate files. */
  from: string
  /** Where the image directory is made. */
  target: string
  /** What UUIDs are made from. */
  seed: string
  disk: string
  /** The partition table, as an sfdisk script. */
  table: string
  conf: string
  /** The certificate of the key broker, where a partition needs it. */
  ca: string | undefined
  /** What the tasks find out for the manifest. */
  found: {layout?: DiskLayout; sealOffset: number; contents: Record<string, Artefact>}
}

/**
 * Plan the sealing of a tree: content → file systems → verity → encryption → disk → initrd → manifest.
 * @param work a folder for intermediate files; emptied first
 * @param output only its `partial` is written; publishing it is the caller's
 * @returns the tasks in order
 */
export async function planSeal(request: SealRequest, work: string, output: OutputPaths): Promise<Task[]> {
  // A guest that asks any server for its key would take the key of any server.
  if (usesKbs(request.config) && request.config.kbs.ca === null)
    throw new CcError('E_CONFIG', "kbs.caFile: a partition has the key source 'kbs', and the certificate is missing")
  const keys = join(output.partial, 'keys')
  const sealing: Sealing = {
    ...{request, work, filled: filledPartitions(request, work, keys), target: output.partial},
    from: request.prepared ?? work,
    seed: seedOf(request),
    disk: join(output.partial, `${request.name}.qcow2`),
    table: join(work, 'table'),
    conf: join(work, 'boot.conf'),
    ca: usesKbs(request.config) ? join(work, 'ca.pem') : undefined,
    found: {sealOffset: 0, contents: {}},
  }
  const {filled, seed} = sealing
  return [
    writeTask('seal/start', `make ${keys}`, async () => {
      remove(work)
      mkdirPrivate(work)
      await mkdir(keys, {mode: 0o700})
      const rootFirst = filled
        .filter(isEncrypted)
        .sort((a, b) => Number(b.name === 'cc-root') - Number(a.name === 'cc-root'))
      for (const {name, partition, key} of rootFirst) {
        // One key is enough where the host knows it anyway. The key that the caller has is that of cc-root.
        const same = partition.key === 'development' && name !== 'cc-root'
        await makeKey(key, same ? join(keys, 'root.key') : name === 'cc-root' ? request.rootKey : null)
      }
      if (sealing.ca !== undefined) await atomicWrite(sealing.ca, request.config.kbs.ca ?? '')
    }),
    ...(await planPlain(filled, {seed, sourceDateEpoch: request.sourceDateEpoch})),
    ...(request.prepared === undefined ? await planTreeFiles(request, work) : []),
    ...(await planEncryption(filled, {seed})),
    ...(await planDisk(sealing)),
    ...(await planBootFiles(sealing)),
    planManifest(sealing),
  ]
}

/** Where each partition lies, boot.conf, and the disk with its content. */
async function planDisk({request, filled, seed, disk, table, conf, found}: Sealing): Promise<Task[]> {
  const {config} = request
  const {partitions} = config.layout
  const layout = writeTask('seal/layout', `write the partition table and boot.conf: ${table}, ${conf}`, async () => {
    const journals: Record<string, number> = {}
    const requests = Object.entries(partitions).map(async ([name, {size, grow}]) => {
      const part = filled.find((candidate) => candidate.name === name)
      const bytes = part === undefined ? 0 : (await stat(part.files.data)).size
      if (part === undefined || !isEncryptedInPlace(part)) return {name, contentBytes: bytes, size, grow}
      const journal = journalBehind(bytes)
      journals[name] = journal.offset
      return {name, contentBytes: journal.end, size, grow}
    })
    found.layout = computeLayout({partitions: await Promise.all(requests), diskSize: config.layout.size, seed})
    await atomicWrite(table, sfdiskScript(found.layout))
    const {profile, layout, kbs, teeDerived} = config
    const cmdline = imageCommandLine(request)
    const verity = await readVerity(filled)
    await atomicWrite(
      conf,
      bootConf({...{profile, cmdline, partitions, verity, journals, kbs, teeDerived}, overlaySize: layout.overlaySize}),
    )
  })
  const tasks = [layout, stepTask(await planStep('disk/make-disk', {output: disk, table}))]
  for (const {name, files} of filled) {
    const place = await planStep('disk/place-partition', {disk, table, name, content: files.data})
    tasks.push(placeTask(stepTask(place, name), files.data, (content) => (found.contents[name] = content)))
  }
  return tasks
}

/** Kernel, initrd with the sealing archive, and further files out of the tree. */
async function planBootFiles({request, filled, from, target, conf, ca, found}: Sealing): Promise<Task[]> {
  const {sourceDateEpoch, extra = {}} = request
  const names = ['vmlinuz', ...Object.keys(extra)]
  const initrd = await planStep('disk/make-initrd', {
    initrd: treeFile(from, 'initrd.img'),
    'boot-conf': conf,
    header: filled.filter(isEncrypted).map(({files}) => files.header),
    'kbs-ca': ca,
    output: join(target, 'initrd.img'),
    'source-date-epoch': sourceDateEpoch,
  })
  return [
    writeTask('seal/place-files', `copy ${names.join(', ')} to ${target}`, async () => {
      for (const name of names) await copyFile(treeFile(from, name), join(target, name), constants.COPYFILE_FICLONE)
    }),
    readingTask(stepTask(initrd), (offset) => (found.sealOffset = Number(offset))),
  ]
}

function planManifest({request, filled, from, work, target, found}: Sealing): Task {
  const {config, name, aliases, extra = {}} = request
  const {stage, tool, distribution, source, sourceDateEpoch, buildKey} = request
  return writeTask('seal/manifest', `write cmdline and manifest.json in ${target}`, async () => {
    const cmdline = imageCommandLine(request)
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
      partitions: describePartitions(found.layout, config.layout.partitions, found.contents, await readVerity(filled)),
      ...(request.amd && {amd: request.amd}),
      packages: await readPackages(from),
      artefacts,
    }
    await atomicWrite(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    for (const alias of aliases) await symlink(`${name}.qcow2`, join(target, `${alias}.qcow2`))
    remove(work)
  })
}

const usesKbs = ({layout}: Config) => Object.values(layout.partitions).some(({key}) => key === 'kbs')

/** Reading the content for the disk and for its hash takes one reading from the disk, and a core for each. */
function placeTask(task: Task, data: string, tell: (content: Artefact) => void): Task {
  return {
    ...task,
    run: async (context) => {
      const placed = task.run(context)
      const [output, content] = await Promise.all([placed, describeFile(data)])
      tell(content)
      return output
    },
  }
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
