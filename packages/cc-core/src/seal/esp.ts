import {existsSync} from 'node:fs'
import {stat} from 'node:fs/promises'
import {join} from 'node:path'

import type {Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {uefiStub} from '../host/index.js'
import {alignment, espName, uuidFromSeed, type PartitionRequest} from '../layout/index.js'
import type {Artefact, Manifest, ManifestPartition} from '../manifest/index.js'
import {planStep, stepTask, type Task} from '../steps/index.js'

/** FAT32 needs 65525 clusters (Microsoft's FAT specification, "FAT type determination"); this is enough for any. */
const smallest = 64 * alignment

/** What the file system itself takes, the manifest, and what little may be added by hand. */
const overhead = 8 * alignment

export interface EspRequest {
  config: Config
  /** Folder of the image directory to be: kernel and initrd are there when the tasks run. */
  target: string
  /** Folder for intermediate files. */
  work: string
  cmdline: string
  /** What the id of the file system is made from. */
  seed: string
  sourceDateEpoch: number
  /** Files beside the manifest in the folder cc of the ESP, by their name there. */
  files: Readonly<Record<string, string>>
}

/** Base and FLARE images start under plain UEFI firmware, too; the hardened one has no boot loader at all. */
export function hasEsp(stage: Manifest['stage'], config: Config): boolean {
  return config.layout.esp && stage !== 'hardened'
}

const ukiFile = (work: string) => join(work, 'BOOTX64.EFI')
const manifestFile = (work: string) => join(work, 'manifest.json')

/** The boot program of the ESP: the very kernel, initrd and command line that a measured launch gets. */
export async function planUki({config, target, work, cmdline, sourceDateEpoch}: EspRequest): Promise<Task[]> {
  const uki = await planStep('boot/make-uki', {
    stub: findStub(config),
    ...{kernel: join(target, 'vmlinuz'), initrd: join(target, 'initrd.img'), cmdline},
    ...{output: ukiFile(work), 'source-date-epoch': sourceDateEpoch},
  })
  return [stepTask(uki)]
}

/** @throws E_HOST_TOOL, E_CONFIG where there is none */
function findStub({launch}: Config): string {
  const stub = launch.stub ?? uefiStub.file
  if (existsSync(stub)) return stub
  if (launch.stub !== null) throw new CcError('E_CONFIG', `launch.stub: there is no file '${stub}'`)
  throw new CcError('E_HOST_TOOL', `this host lacks the UEFI stub of systemd, ${stub}`, {
    suggestions: [`sudo apt-get install --yes ${uefiStub.package}`, 'or build without it: layout.esp: false'],
  })
}

/** The partition, once planUki and all files are done. */
export async function espPartition({work, files}: EspRequest): Promise<PartitionRequest> {
  const sizes = await Promise.all([ukiFile(work), ...Object.values(files)].map(async (file) => (await stat(file)).size))
  const content = sizes.reduce((sum, size) => sum + size, overhead)
  return {name: espName, contentBytes: Math.max(content, smallest), size: null, type: 'esp'}
}

/** Make the file system and write it to the disk. The copy of the manifest is written to `manifest` before. */
export async function planEsp(
  {work, files, seed, sourceDateEpoch}: EspRequest,
  {disk, table}: {disk: string; table: string},
): Promise<{manifest: string; content: string; make: Task; place: Task}> {
  const content = join(work, `${espName}.data`)
  const inside = {...prefixed(files), 'cc/manifest.json': manifestFile(work), 'EFI/BOOT/BOOTX64.EFI': ukiFile(work)}
  const make = await planStep('boot/make-esp', {
    ...{output: content, table, name: espName},
    id: uuidFromSeed(seed, 'esp').slice(0, 8),
    file: Object.entries(inside).map(([path, file]) => `${path}:${file}`),
    'source-date-epoch': sourceDateEpoch,
  })
  const place = await planStep('disk/place-partition', {disk, table, name: espName, content})
  return {manifest: manifestFile(work), content, make: stepTask(make), place: stepTask(place, espName)}
}

const prefixed = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([name, file]) => [`cc/${name}`, file]))

/** The partition in the manifest. On the ESP itself the content is null: a file cannot hold its own hash. */
export function describeEsp(start: number, size: number, content: Artefact | null): ManifestPartition {
  return {
    ...{name: espName, start, size, mount: 'none', encryption: 'none', integrity: 'none', key: null},
    ...{grow: false, from: null, content, verity: null},
  }
}
