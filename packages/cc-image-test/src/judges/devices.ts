import {failed, passed, skipped, verdictOf} from 'cc-core/report'
import {z} from 'zod'

import {judging} from './evidence.js'

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

/** What scripts/base/self-test.sh asks cc-attest for. */
const nonce = '7'.padStart(64, '0')

export const judgeDriver = judging<Pick<DeviceReport, 'driver' | 'file' | 'signer' | 'kernel'>>(
  'driver',
  'file',
  'signer',
  'kernel',
)(({driver, file, signer, kernel}, {version}: {version: string | null}) => {
  if (driver === '') return failed(`there is no module nvidia for kernel ${kernel}`)
  if (kernel === '' || !file.includes(`/${kernel}/`)) return failed(`${file} is not of kernel ${kernel}`)
  if (version !== null && !version.startsWith(driver) && !driver.startsWith(version))
    return failed(`it is version ${driver}, configured is ${version}`)
  return passed(`${driver} for ${kernel}${signer === '' ? '' : `, signed by ${signer}`}`)
})

export const judgeAutoload = judging<Pick<DeviceReport, 'loaded'>>('loaded')(({loaded}) =>
  loaded === 0 ? passed('/proc/modules has no nvidia') : failed(`${loaded} modules of NVIDIA are loaded`),
)

export const judgeGpuUnits = judging<Pick<DeviceReport, 'gpuState' | 'load' | 'daemon' | 'ready'>>(
  'gpuState',
  'load',
  'daemon',
  'ready',
)(({gpuState, load, daemon, ready}) => {
  const problems = gpuState.trim() === 'absent' ? [] : [`the state of the GPUs is '${gpuState.trim()}', not absent`]
  if (!load.includes('success') || !/\bactive\b/.test(load)) problems.push(`cc-gpu-load is '${load}'`)
  if (!ready.includes('success') || !/\bactive\b/.test(ready)) problems.push(`cc-gpu-ready is '${ready}'`)
  if (!daemon.includes('inactive')) problems.push(`nvidia-persistenced is '${daemon}'`)
  return verdictOf(problems, 'loaded nothing, and said so')
})

export const judgeNoCompiler = judging<Pick<DeviceReport, 'tools'>>('tools')(({tools}) =>
  tools === '' ? passed('no gcc, make or dkms') : failed(`there is ${tools.trim()}`),
)

export const judgeSnpguest = judging<Pick<DeviceReport, 'snpguest'>>('snpguest')(({snpguest}) =>
  /^snpguest \d+\.\d+\.\d+$/.test(snpguest) ? passed(snpguest) : failed(`it says '${snpguest}'`),
)

export const judgeSdk = judging<Pick<DeviceReport, 'sdk'>>('sdk')(({sdk}) =>
  /^\d+\.\d+/.test(sdk) ? passed(`nv-attestation-sdk ${sdk}`) : failed(`it says '${sdk}'`),
)

export const judgeSdkLock = judging<{listed: boolean}>('listed')(({listed}) =>
  listed ? passed('attestation-python.json') : failed('there is no attestation-python.json'),
)

/** An image that does not ask for the driver may be without it: its kernel is older. */
export const judgeSevGuest = judging<Pick<DeviceReport, 'sevGuest' | 'kernel'>>(
  'sevGuest',
  'kernel',
)(({sevGuest, kernel}, {required}: {required: boolean}) => {
  if (sevGuest === '') return failed('the guest does not say where sev-guest is')
  if (sevGuest !== 'none') return passed(sevGuest)
  return required ? failed('there is no sev-guest') : skipped(`kernel ${kernel} has no sev-guest`)
})

/** Without a TEE and without a GPU, cc-attest has to say that there is none. */
export const judgeAttest = judging<Pick<DeviceReport, 'attest' | 'attestStatus' | 'cpuStatus' | 'gpuStatus'>>(
  'attest',
  'attestStatus',
  'cpuStatus',
  'gpuStatus',
)(({attest, attestStatus, cpuStatus, gpuStatus}) => {
  if (attest === null) return failed('it printed nothing')
  const problems = []
  if (attest.cpu.status !== 'absent') problems.push(`of the CPU it says '${attest.cpu.status}'`)
  if (attest.gpu.status !== 'absent') problems.push(`of the GPU it says '${attest.gpu.status}'`)
  if (attest.nonce !== nonce) problems.push(`its nonce is ${attest.nonce}`)
  if (attestStatus !== 5 || cpuStatus !== 3 || gpuStatus !== 4)
    problems.push(`exit status ${attestStatus}, ${cpuStatus} for the CPU, ${gpuStatus} for the GPU; not 5, 3, 4`)
  return verdictOf(problems, `exit status 5; ${attest.cpu.detail ?? ''}; ${attest.gpu.detail ?? ''}`)
})
