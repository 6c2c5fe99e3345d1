import {createHash, randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {mkdir, readFile, stat, symlink} from 'node:fs/promises'
import {join} from 'node:path'

import {bootConf, headerPlace, kernelCommandLine, type VerityParameters} from '../boot/index.js'
import {encodeImageConfig, type Config, type Partition} from '../config/index.js'
import {atomicWrite, mkdirPrivate, remove} from '../fs/index.js'
import {computeLayout, uuidFromSeed, type DiskLayout} from '../layout/index.js'
import {describeFile, type Manifest, type ManifestPartition} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import type {OutputPaths} from './folder.js'
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

/** A partition that gets its content now, rather than at boot. */
interface Filled {
  name: string
  partition: Partition
  content: string
  files: {data: string; header: string; verity: string}
}

/**
 * Plan the sealing of a tree: content → file systems → verity → encryption → disk → initrd → manifest.
 * @param work a folder for intermediate files; emptied first
 * @param output only its `partial` is written; publishing it is the caller's
 * @returns the tasks in order
 */
export async function planSeal(request: SealRequest, work: string, output: OutputPaths): Promise<Task[]> {
  const {tree, config, name, sourceDateEpoch, extra = {}} = request
  const {partitions} = config.layout
  const filled = filledPartitions(request, work)
  const seed = `${request.distribution} ${name}`
  const disk = join(output.partial, `${name}.qcow2`)
  const table = join(work, 'table')
  const conf = join(work, 'boot.conf')
  const epoch = {'source-date-epoch': sourceDateEpoch}
  const keys = join(output.partial, 'keys')
  let plan: DiskLayout | undefined
  let sealOffset = 0

  const tasks: Task[] = [
    writeTask('seal/start', `make ${keys}`, async () => {
      remove(work)
      mkdirPrivate(work)
      await mkdir(keys, {mode: 0o700})
      for (const {name: partition} of filled.filter(isEncrypted))
        await makeKey(keyFile(keys, partition), request.rootKey)
    }),
  ]

  for (const {name: partition, partition: options, content, files} of filled) {
    const isRoot = options.mount === '/'
    const fill = await planStep('disk/make-filesystem', {
      content,
      output: files.data,
      label: partition.slice(0, 16),
      uuid: uuidFromSeed(seed, `${partition} file system`),
      seed: uuidFromSeed(seed, `${partition} directory hash`),
      without: isRoot ? filled.flatMap((other) => other.partition.from ?? []) : [],
      'read-only': options.integrity === 'verity',
      ...epoch,
    })
    tasks.push(stepTask(fill, partition))
    if (options.integrity === 'verity') {
      const salt = createHash('sha256').update(`${seed} ${partition} verity salt`).digest('hex')
      tasks.push(
        stepTask(await planStep('disk/make-verity', {data: files.data, salt, report: files.verity}), partition),
      )
    }
    if (options.encryption === 'luks2') {
      const encrypt = await planStep('disk/encrypt-partition', {
        data: files.data,
        header: files.header,
        'key-file': keyFile(keys, partition),
        uuid: uuidFromSeed(seed, `${partition} luks`),
      })
      tasks.push(stepTask(encrypt, partition))
    }
  }

  tasks.push(
    writeTask('seal/layout', `write the partition table and boot.conf: ${table}, ${conf}`, async () => {
      plan = computeLayout({
        partitions: await Promise.all(
          Object.entries(partitions).map(async ([partition, options]) => {
            const data = filled.find((candidate) => candidate.name === partition)?.files.data
            const contentBytes = data === undefined ? 0 : (await stat(data)).size
            return {name: partition, contentBytes, size: options.size, grow: options.grow}
          }),
        ),
        diskSize: config.layout.size,
        seed,
      })
      await atomicWrite(table, sfdiskScript(plan))
      await atomicWrite(conf, bootConf({profile: config.profile, partitions, verity: await readVerity(filled)}))
    }),
    stepTask(await planStep('disk/make-disk', {output: disk, table})),
  )
  for (const {name: partition, files} of filled) {
    tasks.push(
      stepTask(await planStep('disk/place-partition', {disk, table, name: partition, content: files.data}), partition),
    )
  }

  const osInitrd = join(work, 'initrd.img')
  for (const [file, path] of Object.entries(extra)) {
    tasks.push(stepTask(await planStep('tree/copy-file', {tree, path, output: join(output.partial, file)}), file))
  }
  tasks.push(
    stepTask(
      await planStep('tree/copy-file', {tree, path: '/boot/vmlinuz', output: join(output.partial, 'vmlinuz')}),
      'vmlinuz',
    ),
    stepTask(await planStep('tree/copy-file', {tree, path: '/boot/initrd.img', output: osInitrd}), 'initrd.img'),
  )
  const boot = await planStep('disk/make-initrd', {
    initrd: osInitrd,
    'boot-conf': conf,
    header: filled.filter(isEncrypted).map(({files}) => files.header),
    output: join(output.partial, 'initrd.img'),
    ...epoch,
  })
  const bootTask = stepTask(boot)
  tasks.push({
    ...bootTask,
    run: async (context) => {
      const offset = await bootTask.run(context)
      sealOffset = Number(offset)
      return offset
    },
  })

  const packagesTask = stepTask(await planStep('tree/list-packages', {tree}))
  let packages: Manifest['packages'] = []
  tasks.push(
    {
      ...packagesTask,
      run: async (context) => {
        const listed = await packagesTask.run(context)
        packages = parsePackages(listed)
        return listed
      },
    },
    writeTask('seal/manifest', `write cmdline and manifest.json in ${output.partial}`, async () => {
      const cmdline = kernelCommandLine({console: config.boot.console, extra: config.boot.cmdline})
      await atomicWrite(join(output.partial, 'cmdline'), `${cmdline}\n`)
      const artefacts: Manifest['artefacts'] = {}
      for (const file of ['vmlinuz', 'initrd.img', 'cmdline', ...Object.keys(extra)]) {
        artefacts[file] = await describeFile(join(output.partial, file))
      }
      if (plan === undefined) throw new Error('the layout was not computed')
      const manifest: Manifest = {
        version: 1,
        name,
        stage: request.stage,
        tool: request.tool,
        profile: config.profile,
        config: encodeImageConfig(config),
        distribution: request.distribution,
        source: request.source,
        sourceDateEpoch,
        buildKey: request.buildKey,
        cmdline,
        initrd: {sealOffset},
        disk: {bytes: plan.diskBytes},
        partitions: await describePartitions(plan, partitions, filled),
        packages,
        artefacts,
      }
      await atomicWrite(join(output.partial, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
      for (const alias of request.aliases) await symlink(`${name}.qcow2`, join(output.partial, `${alias}.qcow2`))
      remove(work)
    }),
  )
  return tasks
}

/** The root first: its size matters most to whoever watches. */
function filledPartitions({tree, config}: SealRequest, work: string): Filled[] {
  return Object.entries(config.layout.partitions).flatMap(([name, partition]) => {
    const from = partition.mount === '/' ? '' : partition.from
    if (from === null) return []
    const file = (suffix: string) => join(work, `${name}.${suffix}`)
    return [
      {
        name,
        partition,
        content: `${tree}${from}`,
        files: {data: file('data'), header: file('luks'), verity: file('verity.json')},
      },
    ]
  })
}

const isEncrypted = ({name, partition}: Filled) =>
  partition.encryption === 'luks2' && headerPlace(name, partition) === 'initrd'

/** keys/root.key for cc-root: one name for people to remember. */
const keyFile = (folder: string, partition: string) => join(folder, `${partition.replace(/^cc-/, '')}.key`)

/** 256 bits of the kernel's generator, or a copy of the key that was asked for. */
async function makeKey(file: string, given: string | null): Promise<void> {
  await atomicWrite(file, given === null ? randomBytes(32) : await readFile(given), 0o600)
}

async function readVerity(filled: readonly Filled[]): Promise<Record<string, VerityParameters>> {
  const found: Record<string, VerityParameters> = {}
  for (const {name, files} of filled) {
    if (existsSync(files.verity)) found[name] = JSON.parse(await readFile(files.verity, 'utf8')) as VerityParameters
  }
  return found
}

function parsePackages(text: string): Manifest['packages'] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', version = '', architecture = ''] = line.split(' ')
      return {name, version, architecture}
    })
}

async function describePartitions(
  plan: DiskLayout,
  partitions: Config['layout']['partitions'],
  filled: readonly Filled[],
): Promise<ManifestPartition[]> {
  const verity = await readVerity(filled)
  return Promise.all(
    plan.partitions.flatMap(({name, startBytes, sizeBytes}) => {
      const partition = partitions[name]
      if (partition === undefined) return []
      const data = filled.find((candidate) => candidate.name === name)?.files.data
      return [
        (async () => ({
          name,
          start: startBytes,
          size: sizeBytes,
          mount: partition.mount,
          encryption: partition.encryption,
          integrity: partition.integrity,
          key: partition.key,
          grow: partition.grow,
          from: partition.mount === '/' ? '/' : partition.from,
          content: data === undefined ? null : await describeFile(data),
          verity: verity[name] ?? null,
        }))(),
      ]
    }),
  )
}
