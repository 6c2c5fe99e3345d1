import {join} from 'node:path'

import type {Config} from 'cc-core/config'
import type {ImageDirectory, ManifestPartition} from 'cc-core/manifest'
import {callStep, planStep} from 'cc-core/steps'

/** An image that is looked at, with what more than one check needs. What is made is made once. */
export interface ImageUnderTest {
  image: ImageDirectory
  /** What the image was made from, or what it is compared with. */
  config: Config
  /** Absolute path of the qcow2. */
  disk: string
  /** An empty folder for whatever checks write; removed at the end. */
  scratch: string
  signal: AbortSignal
  /** The content of a partition as it lies on the disk, as a file. */
  content: (partition: ManifestPartition) => Promise<string>
  /** The sealing archive of the initrd, unpacked: boot.conf and headers/. */
  sealed: () => Promise<string>
  /** The archives of the initrd, decompressed, as one file. */
  initrdContent: () => Promise<string>
}

export function underTest(
  image: ImageDirectory,
  config: Config,
  {scratch, signal}: {scratch: string; signal: AbortSignal},
): ImageUnderTest {
  const {manifest} = image
  const disk = image.file(`${manifest.name}.qcow2`)
  const contents = new Map<string, Promise<string>>()
  const read = async ({name, start, content}: ManifestPartition) => {
    const output = join(scratch, `${name}.data`)
    const step = await planStep('disk/read-partition', {disk, output, offset: start, size: content?.bytes ?? 0})
    await callStep(step, {signal})
    return output
  }
  const unpack = async () => {
    const output = join(scratch, 'sealed')
    const initrd = image.file('initrd.img')
    await callStep(await planStep('disk/unpack-initrd', {initrd, offset: manifest.initrd.sealOffset, output}), {signal})
    return output
  }
  const decompress = async () => {
    const output = join(scratch, 'initrd.content')
    const step = await planStep('disk/expand-initrd', {initrd: image.file('initrd.img'), output})
    await callStep(step, {signal})
    return output
  }
  let sealed: Promise<string> | undefined
  let initrdContent: Promise<string> | undefined
  return {
    ...{image, config, disk, scratch, signal},
    content(partition) {
      const reading = contents.get(partition.name) ?? read(partition)
      contents.set(partition.name, reading)
      return reading
    },
    sealed: () => (sealed ??= unpack()),
    initrdContent: () => (initrdContent ??= decompress()),
  }
}
