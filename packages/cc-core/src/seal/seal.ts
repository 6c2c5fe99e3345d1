import {constants, copyFile, mkdir, stat, symlink, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {bootConf, imageCommandLine, journalBehind} from '../boot/index.js'
import {encodeCommandLine} from '../cmdline/index.js'
import {encodeImageConfig, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {mkdirPrivate, remove} from '../fs/index.js'
import {computeLayout, espName, type DiskLayout} from '../layout/index.js'
import {describeFile, encodeManifest, sharedPath, type Artefact, type Manifest} from '../manifest/index.js'
import {launchFacts, planMeasure, type MeasurePlan} from '../platform/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {
  filledPartitions,
  isEncrypted,
  isEncryptedInPlace,
  planHeaders,
  planPlain,
  readVerity,
  type Filled,
} from './content.js'
import {describePartitions} from './describe.js'
import {espPartition, hasEsp, planEsp, planUki, type EspRequest} from './esp.js'
import type {OutputPaths} from './folder.js'
import {keyFile, makeKey} from './keys.js'
import {hostScripts, planTreeFiles, readPackages, seedOf, treeFile} from './prepare.js'
import {planProvenance} from './provenance.js'
import {planSbom, sbomFiles} from './sbom.js'
import {checkSharedPlace, readShared, sharedPartition} from './shared.js'
import {sfdiskScript} from './table.js'
import {hostDataOf, keyOwner, planTrustee, usesKbs} from './trustee.js'

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
  /** The file of the root that planSharedRoot has made of what was prepared; absolute. The disk leans on it. */
  shared?: string
  /** Folders that fill partitions instead of those of the tree, by the name of the partition. */
  contents?: Readonly<Record<string, string>>
  config: Config
  distribution: string
  source: Manifest['source']
  sourceDateEpoch: number
  buildKey: string
  /** The kernel command line, where it is not to be that of the configuration: for a copy of an image. */
  cmdline?: string
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
  cmdline: string
  /** Null for an image without EFI system partition. */
  esp: EspRequest | null
  /** What the tasks find out for the manifest. */
  found: {layout?: DiskLayout; sealOffset: number; contents: Record<string, Artefact>; shared?: Manifest['shared']}
}

/**
 * Plan the sealing of a tree: content → file systems → verity → headers → boot files → measurement → encrypted disk → ESP
 * → manifest.
 * @param work a folder for intermediate files; emptied first
 * @param output only its `partial` is written; publishing it is the caller's
 * @returns the tasks in order
 */
export async function planSeal(request: SealRequest, work: string, output: OutputPaths): Promise<Task[]> {
  const {config, sourceDateEpoch, extra = {}} = request
  // A guest that asks any server for its key would take the key of any server.
  if (usesKbs(config) && config.kbs.ca === null)
    throw new CcError('E_CONFIG', "kbs.caFile: a partition has the key source 'kbs', and the certificate is missing")
  const target = output.partial
  const keys = join(target, 'keys')
  const filled = filledPartitions({...request, shared: request.shared !== undefined}, work, keys)
  const seed = seedOf(request)
  const cmdline = request.cmdline ?? imageCommandLine(request)
  const files = Object.fromEntries([
    ...filled.filter(isEncrypted).map(({name, files: {header}}) => [`headers/${name}.luks`, header] as const),
    ...[...Object.keys(extra), ...hostScripts, ...sbomFiles].map((name) => [name, join(target, name)] as const),
  ])
  const esp: EspRequest = {config, target, work, cmdline, seed, sourceDateEpoch, files}
  const sealing: Sealing = {
    ...{request, work, filled, target, seed, cmdline},
    from: request.prepared ?? work,
    disk: join(target, `${request.name}.qcow2`),
    table: join(work, 'table'),
    conf: join(work, 'boot.conf'),
    ca: usesKbs(config) ? join(work, 'ca.pem') : undefined,
    esp: hasEsp(request.stage, config) ? esp : null,
    found: {sealOffset: 0, contents: {}},
  }
  // Beside the work folder, which is emptied: a tool that was installed for one seal is there for the next.
  const measure = await planMeasure({
    ...{launch: config.launch, cmdline, work, tools: join(work, '..', 'tools')},
    ...{kernel: join(target, 'vmlinuz'), initrd: join(target, 'initrd.img')},
  })
  const sbom = planSbom(request, sealing.from, target)
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
        await makeKey(key, same ? join(keys, 'root.key') : name === 'cc-root' ? givenRootKey(request) : null)
      }
      if (sealing.ca !== undefined) await writeFile(sealing.ca, config.kbs.ca ?? '')
    }),
    ...(await planPlain(filled, {seed, sourceDateEpoch})),
    ...(request.prepared === undefined ? await planTreeFiles(request, work) : []),
    // Before the disk: the ESP has room for what is there then.
    sbom.task,
    ...(await planHeaders(ownOf(sealing), {seed})),
    ...(await planBootFiles(sealing)),
    ...measure.tasks,
    ...(await planDisk(sealing)),
    ...(await planTrustee(request, target, measure.result)),
    ...(await planManifest(sealing, measure)),
    ...(await planProvenance(config, target, sbom.components)),
  ]
}

/** The file with the key that cc-root is to have, or has; null for a new one. */
const givenRootKey = ({shared, prepared, rootKey}: SealRequest) =>
  shared === undefined || prepared === undefined ? rootKey : keyFile(prepared, sharedPartition)

/** The partitions that are written to the disk itself. */
const ownOf = ({request, filled}: Pick<Sealing, 'request' | 'filled'>) =>
  filled.filter(({name}) => request.shared === undefined || name !== sharedPartition)

/** Kernel, initrd with boot.conf and the headers, the command line, and further files. */
async function planBootFiles(sealing: Sealing): Promise<Task[]> {
  const {request, filled, from, target, conf, ca, cmdline, esp, found} = sealing
  const {config, sourceDateEpoch, extra = {}} = request
  const names = ['vmlinuz', ...hostScripts, ...Object.keys(extra)]
  const initrd = await planStep('disk/make-initrd', {
    initrd: treeFile(from, 'initrd.img'),
    'boot-conf': conf,
    header: filled.filter(isEncrypted).map(({files}) => files.header),
    'kbs-ca': ca,
    output: join(target, 'initrd.img'),
    'source-date-epoch': sourceDateEpoch,
  })
  return [
    writeTask('seal/boot-conf', `write ${conf}, and cmdline in ${target}`, async () => {
      const {profile, layout, kbs, teeDerived} = config
      const {partitions, overlaySize} = layout
      const [verity, journals] = [await readVerity(filled), await findJournals(filled)]
      const owner = keyOwner(request)
      const facts = {profile, cmdline, partitions, verity, journals, kbs, teeDerived, overlaySize, owner}
      await writeFile(conf, bootConf(facts))
      await writeFile(join(target, 'cmdline'), encodeCommandLine(cmdline))
    }),
    writeTask('seal/place-files', `copy ${names.join(', ')} to ${target}`, async () => {
      // Shared blocks where the file system can, but never a second name: an image is not to change with another one.
      for (const name of names) await copyFile(treeFile(from, name), join(target, name), constants.COPYFILE_FICLONE)
    }),
    readingTask(stepTask(initrd), (offset) => (found.sealOffset = Number(offset))),
    ...(esp === null ? [] : await planUki(esp)),
  ]
}

/** Where the journal lies of each partition that the guest encrypts in place, behind its content. */
async function findJournals(filled: readonly Filled[]): Promise<Record<string, number>> {
  const parts = filled.filter(isEncryptedInPlace)
  const found = parts.map(
    async ({name, files}) => [name, journalBehind((await stat(files.plain)).size).offset] as const,
  )
  return Object.fromEntries(await Promise.all(found))
}

/** Where each partition lies, and the disk with its content. */
async function planDisk(sealing: Sealing): Promise<Task[]> {
  const {request, filled, seed, disk, table, esp, from, found} = sealing
  const {partitions, size: diskSize} = request.config.layout
  const own = ownOf(sealing)
  const layout = writeTask('seal/layout', `write the partition table: ${table}`, async () => {
    const requests = Object.entries(partitions).map(async ([name, {size, grow}]) => {
      const part = filled.find((candidate) => candidate.name === name)
      const bytes = part === undefined ? 0 : (await stat(part.files.plain)).size
      const inPlace = part !== undefined && isEncryptedInPlace(part)
      return {name, contentBytes: inPlace ? journalBehind(bytes).end : bytes, size, grow}
    })
    const first = esp === null ? [] : [await espPartition(esp)]
    found.layout = computeLayout({partitions: [...first, ...(await Promise.all(requests))], diskSize, seed})
    await writeFile(table, sfdiskScript(found.layout))
    if (request.shared === undefined) return
    checkSharedPlace(found.layout.partitions.find(({name}) => name === sharedPartition)?.startBytes)
    const {path, content, file} = await readShared(from)
    found.contents[sharedPartition] = content
    found.shared = {name: basename(path), ...file}
  })
  const shared = request.shared === undefined ? undefined : sharedPath(basename(request.shared))
  const reserve = own.filter(isEncrypted).map(({name, files: {plain}}) => `${name}=${plain}`)
  const tasks = [layout, stepTask(await planStep('disk/make-disk', {output: disk, table, reserve, shared}))]
  for (const part of own) {
    const {name, key, files} = part
    const encryption = isEncrypted(part) ? {header: files.header, 'key-file': key} : {}
    const place = await planStep('disk/place-partition', {disk, table, name, content: files.plain, ...encryption})
    tasks.push(placeTask(stepTask(place, name), files.plain, (content) => (found.contents[name] = content)))
  }
  return tasks
}

/** The manifest: first as its copy on the ESP, then with the hash of the ESP in the image directory. */
async function planManifest(sealing: Sealing, {result}: MeasurePlan): Promise<Task[]> {
  const {request, work, target, esp, found} = sealing
  const tasks: Task[] = []
  if (esp !== null) {
    const {manifest, content, make, place} = await planEsp(esp, sealing)
    const copy = writeTask('seal/esp-manifest', `write ${manifest}, without the hash of the ESP`, async () => {
      await writeFile(manifest, encodeManifest(await describeImage(sealing, await result())))
    })
    tasks.push(
      copy,
      make,
      placeTask(place, content, (artefact) => (found.contents[espName] = artefact)),
    )
  }
  const write = writeTask('seal/manifest', `write manifest.json in ${target}`, async () => {
    const manifest = await describeImage(sealing, await result())
    await writeFile(join(target, 'manifest.json'), encodeManifest(manifest))
    for (const alias of request.aliases) await symlink(`${request.name}.qcow2`, join(target, `${alias}.qcow2`))
    remove(work)
  })
  return [...tasks, write]
}

async function describeImage(sealing: Sealing, measurement: Manifest['measurement']): Promise<Manifest> {
  const {request, filled, from, target, cmdline, found} = sealing
  const {name, stage, config, tool, distribution, source, sourceDateEpoch, buildKey, extra = {}} = request
  const artefacts: Manifest['artefacts'] = {}
  for (const file of ['vmlinuz', 'initrd.img', 'cmdline', ...hostScripts, ...sbomFiles, ...Object.keys(extra)])
    artefacts[file] = await describeFile(join(target, file))
  if (found.layout === undefined) throw new Error('the layout was not computed')
  return {
    ...{version: 1, name, stage, tool, profile: config.profile, config: encodeImageConfig(config)},
    ...{distribution, source, sourceDateEpoch, buildKey, cmdline},
    launch: {...(await launchFacts(config.launch)), hostData: hostDataOf(request)},
    measurement: measurement ?? null,
    initrd: {sealOffset: found.sealOffset},
    disk: {bytes: found.layout.diskBytes},
    partitions: describePartitions(found.layout, config.layout.partitions, found.contents, await readVerity(filled)),
    ...(found.shared && {shared: found.shared}),
    ...(request.amd && {amd: request.amd}),
    packages: await readPackages(from),
    artefacts,
  }
}

/** The placing of a partition, which prints the sha256 of what then lies on the disk. */
const placeTask = (task: Task, content: string, tell: (placed: Artefact) => void): Task => ({
  ...task,
  run: async (context) => {
    const output = await task.run(context)
    const sha256 = output.trim()
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`${task.id} printed no sha256: '${sha256}'`)
    tell({sha256, bytes: (await stat(content)).size})
    return output
  },
})

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
