import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Measurement} from 'cc-core/manifest'
import {planMeasure, standInFirmware} from 'cc-core/platform'
import {runTasks} from 'cc-core/build'
import {SilentReporter} from 'cc-core/ui'

import type {ImageUnderTest} from './under-test.js'

/** What a host gives to the machine. */
export interface Launched {
  /** Path. */
  initrd: string
  cmdline: string
}

/** Why the launch of this image cannot be measured here; null where it can. */
export function cannotMeasure({image, config}: ImageUnderTest): string | null {
  if (image.manifest.measurement == null) return 'the image has no expected measurement'
  if (config.launch.ovmf !== null) return null
  return 'no firmware is at hand: name it in the configuration of the test, launch.ovmf'
}

/**
 * Measure a launch with the kernel of the image, for the processors of its manifest.
 * @param folder for the logs of the steps
 * @returns null where it cannot be measured here
 */
export async function measureLaunch(
  subject: ImageUnderTest,
  launched: Launched,
  folder: string,
): Promise<Measurement | null> {
  const {config, image} = subject
  if (image.manifest.launch == null || cannotMeasure(subject) !== null) return null
  return measure(subject, launched, config.launch.ovmf, folder)
}

/** Launch digests, and what stands for the firmware in them. */
export interface Digests {
  entries: Measurement['entries']
  firmware: string
}

/**
 * The launch digests that a manipulated launch is told by. Without the firmware of the image a small one in the same
 * form takes its place: the digest covers every byte of kernel, initrd and command line all the same.
 * @param folder for the logs of the steps
 */
export async function digestsOf(subject: ImageUnderTest, launched: Launched, folder: string): Promise<Digests> {
  const {ovmf} = subject.config.launch
  const small = join(folder, 'small-firmware.fd')
  if (ovmf === null) await writeFile(small, standInFirmware())
  const measurement = await measure(subject, launched, ovmf ?? small, folder)
  const firmware =
    ovmf === null ? 'a small firmware in place of the one of the image' : 'the firmware of the configuration'
  return {entries: measurement?.entries ?? [], firmware}
}

async function measure(
  {image, config, scratch, signal}: ImageUnderTest,
  {initrd, cmdline}: Launched,
  ovmf: string | null,
  folder: string,
): Promise<Measurement | null> {
  const {vcpus, cpuTypes, guestFeatures} = image.manifest.launch ?? config.launch
  const plan = await planMeasure({
    launch: {
      ...config.launch,
      ...(ovmf !== config.launch.ovmf && {ovmfSha256: null}),
      ovmf,
      vcpus,
      cpuTypes,
      guestFeatures,
      // Only the digests are asked for; the keys are the builder's.
      idBlock: null,
    },
    work: folder,
    ...{kernel: image.file('vmlinuz'), initrd, cmdline},
    tools: join(scratch, '..', 'tools'),
  })
  await runTasks(plan.tasks, {reporter: new SilentReporter(), logDir: folder, signal})
  return plan.result()
}
