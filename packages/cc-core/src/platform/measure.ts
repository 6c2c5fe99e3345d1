import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {isDeepStrictEqual} from 'node:util'

import {refuseColon, type Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {sha256File, type LaunchFacts, type Measurement} from '../manifest/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'
import {checkSigningKeys, readIdBlock, type IdBlock} from './id-block.js'

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
  /** Folder for intermediate files. */
  work: string
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
  /** The step that adds a signed statement of the builder to each of these lines, for the firmware to compare with. */
  sign: string
  /** The program in the environment that pip makes. */
  tool: string
}

/** One entry for each platform: a further one needs its step, and its words in scripts/host. */
const platforms: Readonly<Record<LaunchConfig['platform'], Platform>> = {
  'sev-snp': {
    algorithm: 'sha384',
    step: 'boot/measure-sev-snp',
    sign: 'boot/sign-id-block',
    tool: 'sev-snp-measure',
  },
}

/**
 * Plan the expected measurement of a launch. Without a firmware nothing can be measured: its bytes are the beginning.
 * @throws E_CONFIG for a firmware or a tool that is not there, and for a folder in which the tool cannot be installed; E_KEY
 *   for keys that cannot sign an ID block
 */
export async function planMeasure(request: MeasureRequest): Promise<MeasurePlan> {
  const {launch, kernel, initrd, cmdline, tools, work} = request
  const {ovmf, ovmfSha256, tool, toolRequirements, vcpus, cpuTypes, guestFeatures, idBlock, policy} = launch
  if (ovmf === null) return {tasks: [], result: () => Promise.resolve(null)}
  mustExist('launch.ovmf', ovmf)
  if (tool === null) refuseColon(tools, 'python3 -m venv', 'or name the tool: launch.tool')
  else mustExist('launch.tool', tool)
  if (idBlock !== null) await checkSigningKeys(idBlock)
  const platform = platforms[launch.platform]
  const venv = join(tools, textHash(toolRequirements.join('\n')).slice(0, 16))
  const program = tool ?? join(venv, 'bin', platform.tool)
  const step = await planStep(platform.step, {
    ...{tool: program, ovmf, 'ovmf-sha256': ovmfSha256 ?? undefined},
    ...{kernel, initrd, cmdline, 'guest-features': guestFeatures},
    ...{vcpus: vcpus.map(String), 'cpu-type': cpuTypes},
  })
  let lines = ''
  const reading = (task: Task): Task => ({
    ...task,
    run: async (context) => (lines = await task.run(context)),
  })
  const tasks: Task[] = [
    ...(tool === null ? [stepTask(await planStep('boot/measure-tool', {venv, requirement: toolRequirements}))] : []),
    reading(stepTask(step)),
  ]
  if (idBlock !== null) {
    const measured = join(work, 'measured')
    const sign = await planStep(platform.sign, {
      ...{tool: program, measured, 'id-key': idBlock.idKey, 'author-key': idBlock.authorKey},
      ...{policy, svn: idBlock.svn, 'family-id': idBlock.familyId, 'image-id': idBlock.imageId},
    })
    tasks.push(
      writeTask('seal/measured', `write the expected measurements: ${measured}`, () => writeFile(measured, lines)),
      reading(stepTask(sign)),
    )
  }
  const result = async (): Promise<Measurement> => ({
    platform: launch.platform,
    algorithm: platform.algorithm,
    from: {
      firmware: await sha256File(ovmf),
      kernel: await sha256File(kernel),
      initrd: await sha256File(initrd),
      cmdline: textHash(cmdline),
    },
    ...describeEntries(lines, launch),
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
export async function launchIdentity({ovmf, tool, stub, idBlock}: LaunchConfig): Promise<string[]> {
  const files = [ovmf, tool, stub, idBlock?.idKey ?? null, idBlock?.authorKey ?? null].filter((file) => file !== null)
  return Promise.all(files.map(async (file) => (existsSync(file) ? sha256File(file) : '')))
}

/** What the steps printed: lines of number, type and digest, with an ID block and its authentication information. */
function describeEntries(lines: string, {guestFeatures, idBlock, policy}: LaunchConfig) {
  const entries: Measurement['entries'] = lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [vcpus = '', cpuType = '', digest = '', block, auth] = line.split(' ')
      const signed = block !== undefined && auth !== undefined ? {idBlock: block, idAuth: auth} : {}
      return {vcpus: Number(vcpus), cpuType, guestFeatures, digest, ...signed}
    })
  if (idBlock === null) return {entries}
  const {svn, familyId, imageId} = idBlock
  // What a tool has made is believed after it was read back: the firmware would refuse every launch otherwise.
  const keys = entries.map(({digest, idBlock: block = '', idAuth = ''}) => {
    const {idKeyDigest, authorKeyDigest, ...said} = readBack({idBlock: block, idAuth})
    const wanted = {digest, familyId, imageId, svn, policy}
    if (!isDeepStrictEqual(said, wanted))
      throw unusableBlock(`it says ${JSON.stringify(said)}, expected ${JSON.stringify(wanted)}`)
    return {idKeyDigest, authorKeyDigest}
  })
  return {entries, ...(keys[0] && {idBlock: {svn, familyId, imageId, ...keys[0]}})}
}

/** @throws E_STEP_FAILED for what no firmware would take */
function readBack(encoded: Parameters<typeof readIdBlock>[0]): IdBlock {
  try {
    return readIdBlock(encoded)
  } catch (error) {
    throw unusableBlock((error as Error).message)
  }
}

const unusableBlock = (reason: string) =>
  new CcError('E_STEP_FAILED', `the tool of launch.tool has made an unusable ID block: ${reason}`, {
    suggestions: ['leave launch.tool out, or name another version of it'],
  })

function mustExist(key: string, file: string): void {
  if (existsSync(file)) return
  throw new CcError('E_CONFIG', `${key}: there is no file '${file}'`, {
    suggestions: ['correct the path, or leave the key out: the image then has no expected measurement'],
  })
}

const textHash = (text: string) => createHash('sha256').update(text).digest('hex')
