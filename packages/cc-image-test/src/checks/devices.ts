import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {failed, passed, skipped, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'
import {makeVariant} from 'cc-core/stage'
import {planStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch} from 'cc-core/vm'
import {z} from 'zod'

import {testMachine, type Boots} from '../image/boots.js'
import {describeExit} from '../judges/console-text.js'
import type {ImageUnderTest} from '../image/under-test.js'

const marker = 'CC-TEST '

const evidence = z.object({status: z.string(), detail: z.string().optional()})

/** What scripts/base/self-test.sh lets the guest say. */
export const deviceReport = z.object({
  kernel: z.string(),
  /** Version of the module nvidia for the running kernel; empty without one. */
  driver: z.string(),
  file: z.string(),
  signer: z.string(),
  /** How many modules of NVIDIA are loaded. */
  loaded: z.int(),
  /** Where the driver for attestation reports is, or "none". */
  sevGuest: z.string(),
  snpguest: z.string(),
  sdk: z.string(),
  attest: z.object({nonce: z.string(), cpu: evidence, gpu: evidence}).nullable(),
  attestStatus: z.int(),
  cpuStatus: z.int(),
  gpuStatus: z.int(),
  /** Compilers and the like. */
  tools: z.string(),
  gpuState: z.string(),
  /** Units: active state, result, whether its condition held, in the order of systemctl show. */
  load: z.string(),
  daemon: z.string(),
  ready: z.string(),
})
export type DeviceReport = z.output<typeof deviceReport>

/** The SDK is read from a slow disk by a slow CPU. */
const memoryMiB = 2048
const timeoutMs = 1_200_000

/** What scripts/base/self-test.sh asks cc-attest for. */
const nonce = '7'.padStart(64, '0')

/**
 * AMD's, NVIDIA's and the attestation parts, as a guest without such hardware shows them. They are looked at in a copy
 * of the image that has one unit more; the image itself has no way in for a test. Nothing where the image has none.
 */
export function deviceChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {nvidia, attestation, amd} = subject.config
  if (!nvidia.enabled && !attestation.enabled) return []
  let running: Promise<DeviceReport> | undefined
  const report = () => (running ??= bootVariant(subject, boots))
  const ofReport = (id: string, title: string, judge: (found: DeviceReport) => Verdict): CheckTask => ({
    id,
    title,
    run: async () => (boots.impossible === null ? judge(await report()) : skipped(boots.impossible)),
  })
  const driver = [
    ofReport('nvidia-module', 'The driver is there for the running kernel', (found) =>
      judgeDriver(found, nvidia.version),
    ),
    ofReport('nvidia-no-autoload', 'Nothing loads the driver by itself', ({loaded}) =>
      loaded === 0 ? passed('/proc/modules has no nvidia') : failed(`${loaded} modules of NVIDIA are loaded`),
    ),
    ofReport('nvidia-no-gpu', 'Without a GPU its units end, and nothing failed', judgeUnits),
    ofReport('nvidia-no-compiler', 'What built the modules is not in the image', ({tools}) =>
      tools === '' ? passed('no gcc, make or dkms') : failed(`there is ${tools.trim()}`),
    ),
  ]
  const tools = [
    ofReport('attest-snpguest', 'snpguest runs', ({snpguest}) =>
      /^snpguest \d+\.\d+\.\d+$/.test(snpguest) ? passed(snpguest) : failed(`it says '${snpguest}'`),
    ),
    ofReport('attest-honest', 'cc-attest says that there is no TEE and no GPU', judgeAttest),
  ]
  const sdk = ofReport('attest-sdk', 'NVIDIA’s attestation SDK can be imported', (found) =>
    /^\d+\.\d+/.test(found.sdk) ? passed(`nv-attestation-sdk ${found.sdk}`) : failed(`it says '${found.sdk}'`),
  )
  const sevGuest = ofReport('sev-guest', 'The kernel has the driver for attestation reports', (found) => {
    if (found.sevGuest !== 'none') return passed(found.sevGuest)
    return amd.sevGuest === 'required'
      ? failed('there is no sev-guest')
      : skipped(`kernel ${found.kernel} has no sev-guest`)
  })
  return [
    sevGuest,
    ...(nvidia.enabled ? driver : []),
    ...(attestation.enabled ? tools : []),
    ...(attestation.enabled && attestation.sdk.kind === 'python' ? [lockCheck(subject), sdk] : []),
  ]
}

export function judgeDriver({driver, file, signer, kernel}: DeviceReport, wanted: string | null): Verdict {
  if (driver === '') return failed(`there is no module nvidia for kernel ${kernel}`)
  if (!file.includes(`/${kernel}/`)) return failed(`${file} is not of kernel ${kernel}`)
  if (wanted !== null && !wanted.startsWith(driver) && !driver.startsWith(wanted))
    return failed(`it is version ${driver}, configured is ${wanted}`)
  return passed(`${driver} for ${kernel}${signer === '' ? '' : `, signed by ${signer}`}`)
}

export function judgeUnits({gpuState, load, daemon, ready}: DeviceReport): Verdict {
  const problems = gpuState.trim() === 'absent' ? [] : [`the state of the GPUs is '${gpuState.trim()}', not absent`]
  if (!load.includes('success') || !/\bactive\b/.test(load)) problems.push(`cc-gpu-load is '${load}'`)
  if (!ready.includes('success') || !/\bactive\b/.test(ready)) problems.push(`cc-gpu-ready is '${ready}'`)
  if (!daemon.includes('inactive')) problems.push(`nvidia-persistenced is '${daemon}'`)
  return verdictOf(problems, 'loaded nothing, and said so')
}

export function judgeAttest({attest, attestStatus, cpuStatus, gpuStatus}: DeviceReport): Verdict {
  if (attest === null) return failed('it printed nothing')
  const problems = []
  if (attest.cpu.status !== 'absent') problems.push(`of the CPU it says '${attest.cpu.status}'`)
  if (attest.gpu.status !== 'absent') problems.push(`of the GPU it says '${attest.gpu.status}'`)
  if (attest.nonce !== nonce) problems.push(`its nonce is ${attest.nonce}`)
  if (attestStatus !== 5 || cpuStatus !== 3 || gpuStatus !== 4)
    problems.push(`exit status ${attestStatus}, ${cpuStatus} for the CPU, ${gpuStatus} for the GPU; not 5, 3, 4`)
  return verdictOf(problems, `exit status 5; ${attest.cpu.detail ?? ''}; ${attest.gpu.detail ?? ''}`)
}

function lockCheck({image}: ImageUnderTest): CheckTask {
  return {
    id: 'attest-lock',
    title: 'The packages of the SDK are listed',
    run: () =>
      existsSync(image.file('attestation-python.json'))
        ? passed('attestation-python.json')
        : failed('there is no attestation-python.json'),
  }
}

async function bootVariant({image, config, scratch, signal}: ImageUnderTest, boots: Boots): Promise<DeviceReport> {
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
  return deviceReport.parse(JSON.parse(boot.matched.slice(marker.length)))
}
