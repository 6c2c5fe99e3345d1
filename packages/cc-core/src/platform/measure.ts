import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {refuseColon, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {sha256File, type LaunchFacts, type Measurement} from '../manifest/index.js'
import {planStep, stepTask, type Task} from '../steps/index.js'

type LaunchConfig = Config['launch']

export interface MeasureRequest {
  launch: LaunchConfig
  /** Paths of the files that are launched; they need not exist yet. */
  kernel: string
  initrd: string
  /** The command line as the virtual machine monitor gets it. */
  cmdline: string
  /** Where a tool is installed that is not configured; kept between builds. */
  tools: string
}

export interface MeasurePlan {
  /** None where no firmware is configured. */
  tasks: Task[]
  /** After the tasks; null where no firmware is configured. */
  result: () => Promise<Measurement | null>
}

/** What is special about a kind of trusted execution environment. */
interface Platform {
  algorithm: Measurement['algorithm']
  /** The step that prints lines of vcpus, processor type and digest. */
  step: string
  /** The program in the environment that pip makes. */
  tool: string
}

/** One entry for each platform: a further one needs its step, and its words in scripts/host. */
const platforms: Readonly<Record<LaunchConfig['platform'], Platform>> = {
  'sev-snp': {algorithm: 'sha384', step: 'boot/measure-sev-snp', tool: 'sev-snp-measure'},
}

/**
 * Plan the expected measurement of a launch. Without a firmware nothing can be measured: its bytes are the beginning.
 * @throws E_CONFIG for a firmware or a tool that is not there, and for a folder in which the tool cannot be installed
 */
export async function planMeasure(request: MeasureRequest): Promise<MeasurePlan> {
  const {launch, kernel, initrd, cmdline, tools} = request
  const {ovmf, ovmfSha256, tool, toolRequirements, vcpus, cpuTypes, guestFeatures} = launch
  if (ovmf === null) return {tasks: [], result: () => Promise.resolve(null)}
  mustExist('launch.ovmf', ovmf)
  if (tool === null) refuseColon(tools, 'python3 -m venv', 'or name the tool: launch.tool')
  else mustExist('launch.tool', tool)
  const platform = platforms[launch.platform]
  const venv = join(tools, textHash(toolRequirements.join('\n')).slice(0, 16))
  const step = await planStep(platform.step, {
    ...{tool: tool ?? join(venv, 'bin', platform.tool), ovmf, 'ovmf-sha256': ovmfSha256 ?? undefined},
    ...{kernel, initrd, cmdline, 'guest-features': guestFeatures},
    ...{vcpus: vcpus.map(String), 'cpu-type': cpuTypes},
  })
  const measure = stepTask(step)
  let lines = ''
  const tasks: Task[] = [
    ...(tool === null ? [stepTask(await planStep('boot/measure-tool', {venv, requirement: toolRequirements}))] : []),
    {
      ...measure,
      run: async (context) => {
        lines = await measure.run(context)
        return lines
      },
    },
  ]
  const result = async (): Promise<Measurement> => ({
    platform: launch.platform,
    algorithm: platform.algorithm,
    from: {
      firmware: await sha256File(ovmf),
      kernel: await sha256File(kernel),
      initrd: await sha256File(initrd),
      cmdline: textHash(cmdline),
    },
    entries: parseEntries(lines, guestFeatures),
  })
  return {tasks, result}
}

/** What of the configuration the launcher of an image needs. */
export async function launchFacts(launch: LaunchConfig): Promise<LaunchFacts> {
  const {platform, vcpus, cpuTypes, memory, policy, guestFeatures, ovmf} = launch
  return {
    ...{platform, vcpus, cpuTypes, policy, guestFeatures},
    memoryMiB: Math.max(Math.floor(memory / 1024 ** 2), 1),
    firmwareSha256: ovmf === null ? null : await sha256File(ovmf),
  }
}

/** The files of the host that an image depends on by its launch section: their content belongs to its identity. */
export async function launchIdentity({ovmf, tool, stub}: LaunchConfig): Promise<string[]> {
  const files = [ovmf, tool, stub].filter((file) => file !== null)
  return Promise.all(files.map(async (file) => (existsSync(file) ? sha256File(file) : '')))
}

function parseEntries(lines: string, guestFeatures: string): Measurement['entries'] {
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [vcpus = '', cpuType = '', digest = ''] = line.split(' ')
      return {vcpus: Number(vcpus), cpuType, guestFeatures, digest}
    })
}

function mustExist(key: string, file: string): void {
  if (existsSync(file)) return
  throw new CcError('E_CONFIG', `${key}: there is no file '${file}'`, {
    suggestions: ['correct the path, or leave the key out: the image then has no expected measurement'],
  })
}

const textHash = (text: string) => createHash('sha256').update(text).digest('hex')
