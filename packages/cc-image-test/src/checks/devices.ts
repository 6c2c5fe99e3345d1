import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {makeVariant} from 'cc-core/build'
import {planStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch} from 'cc-core/vm'

import {testMachine, type Boots} from '../image/boots.js'
import {validFields} from '../image/fields.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {describeExit} from '../judges/console-text.js'
import {
  deviceReport,
  judgeAttest,
  judgeAutoload,
  judgeDriver,
  judgeGpuUnits,
  judgeNoCompiler,
  judgeSdk,
  judgeSdkLock,
  judgeSevGuest,
  judgeSnpguest,
  type DeviceReport,
} from '../judges/devices.js'

const marker = 'CC-TEST '

/** The SDK is read from a slow disk by a slow CPU. */
const memoryMiB = 2048
const timeoutMs = 1_200_000

/**
 * AMD's, NVIDIA's and the attestation parts, as a guest without such hardware shows them. They are looked at in a copy
 * of the image that has one unit more; the image itself has no way in for a test. Nothing where the image has none.
 */
export function deviceChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {nvidia, attestation, amd} = subject.config
  if (!nvidia.enabled && !attestation.enabled) return []
  let running: Promise<Partial<DeviceReport>> | undefined
  const report = () => (running ??= bootVariant(subject, boots))
  const ofReport = (id: string, title: string, judge: (found: Partial<DeviceReport>) => Verdict): CheckTask => ({
    id,
    title,
    run: async () => (boots.impossible === null ? judge(await report()) : skipped(boots.impossible)),
  })
  const driver = [
    ofReport('nvidia-module', 'The driver is there for the running kernel', (found) => judgeDriver(found, nvidia)),
    ofReport('nvidia-no-autoload', 'Nothing loads the driver by itself', (found) => judgeAutoload(found)),
    ofReport('nvidia-no-gpu', 'Without a GPU its units end, and nothing failed', (found) => judgeGpuUnits(found)),
    ofReport('nvidia-no-compiler', 'What built the modules is not in the image', (found) => judgeNoCompiler(found)),
  ]
  const tools = [
    ofReport('attest-snpguest', 'snpguest runs', (found) => judgeSnpguest(found)),
    ofReport('attest-honest', 'cc-attest says that there is no TEE and no GPU', (found) => judgeAttest(found)),
  ]
  const sdk = ofReport('attest-sdk', 'NVIDIA’s attestation SDK can be imported', (found) => judgeSdk(found))
  const sevGuest = ofReport('sev-guest', 'The kernel has the driver for attestation reports', (found) =>
    judgeSevGuest(found, {required: amd.sevGuest === 'required'}),
  )
  return [
    sevGuest,
    ...(nvidia.enabled ? driver : []),
    ...(attestation.enabled ? tools : []),
    ...(attestation.enabled && attestation.sdk.kind === 'python' ? [lockCheck(subject), sdk] : []),
  ]
}

function lockCheck({image}: ImageUnderTest): CheckTask {
  return {
    id: 'attest-lock',
    title: 'The packages of the SDK are listed',
    run: () => judgeSdkLock({listed: existsSync(image.file('attestation-python.json'))}),
  }
}

async function bootVariant(
  {image, config, scratch, signal}: ImageUnderTest,
  boots: Boots,
): Promise<Partial<DeviceReport>> {
  const rootKey = image.file('keys/root.key')
  const {enabled, sdk} = config.attestation
  const venv = enabled && sdk.kind === 'python' ? sdk.venv : undefined
  const variant = await makeVariant(
    {
      image,
      rootKey,
      folder: join(scratch, 'devices'),
      change: async (tree) => [await planStep('base/self-test', {tree, venv})],
    },
    {reporter: new SilentReporter(), signal},
  )
  await boots.settled() // One machine at a time.
  const {accelerator} = await boots.accelerator()
  const disk = variant.file(`${variant.manifest.name}.qcow2`)
  const boot = await bootAndWatch({
    vm: testMachine({image: variant, disk}, rootKey, {accelerator, memoryMiB}),
    until: (line) => line.startsWith(marker),
    ...{timeoutMs, signal},
  })
  if (boot.matched === null) throw new Error(`the guest did not report: ${describeExit(boot)}`)
  return validFields(deviceReport, boot.matched.slice(marker.length))
}
