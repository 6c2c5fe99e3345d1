import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {mkdirp} from 'cc-core/fs'
import type {VmDisk, VmOptions} from 'cc-core/vm'

/** A machine that is being tampered with. Everything may be changed; nothing of the image is. */
export interface Machine {
  /** For the files of this manipulation alone. */
  folder: string
  /** What the host may write to: a layer over the image's disk. It is the first of `disks`. */
  disk: string
  disks: VmDisk[]
  initrd: string
  cmdline: string
  /** Null: the host hands out none. */
  rootKey: string | null
  /** Further words for QEMU. */
  devices: string[]
  network: VmOptions['network']
  monitor: string | undefined
  /** In MiB; that of the bench by default. */
  memoryMiB?: number
  /** 1 by default. */
  cpus?: number
}

/** A layer over a disk: what is written goes to the layer. It takes no time and no room, whatever the size. */
export async function makeLayer(base: string, layer: string, bytes?: number): Promise<void> {
  const size = bytes === undefined ? [] : [String(bytes)]
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', base, layer, ...size])
}

/** @param bytes another size than the disk has */
export async function layeredDisk(base: string, folder: string, bytes?: number): Promise<string> {
  mkdirp(folder)
  const layer = join(folder, 'disk.qcow2')
  await makeLayer(base, layer, bytes)
  return layer
}

/** The disk of an image, as its machine has it. */
export const firstDisk = (file: string): VmDisk => ({file, serial: 'cc-disk', mode: 'read-write'})
