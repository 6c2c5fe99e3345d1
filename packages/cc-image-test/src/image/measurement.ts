import {join} from 'node:path'

import type {Measurement} from 'cc-core/manifest'
import {planMeasure} from 'cc-core/platform'
import {runTasks} from 'cc-core/stage'
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
  {initrd, cmdline}: Launched,
  folder: string,
): Promise<Measurement | null> {
  const {image, config, scratch, signal} = subject
  const {launch} = image.manifest
  if (launch == null || cannotMeasure(subject) !== null) return null
  const {vcpus, cpuTypes, guestFeatures} = launch
  const plan = await planMeasure({
    launch: {...config.launch, vcpus, cpuTypes, guestFeatures},
    ...{kernel: image.file('vmlinuz'), initrd, cmdline},
    tools: join(scratch, '..', 'tools'),
  })
  await runTasks(plan.tasks, {reporter: new SilentReporter(), logDir: folder, signal})
  return plan.result()
}
