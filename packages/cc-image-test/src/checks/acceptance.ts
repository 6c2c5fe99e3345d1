import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError, toCcError} from 'cc-core/errors'
import {formatCommand, run} from 'cc-core/exec'
import type {ImageDirectory} from 'cc-core/manifest'
import {skipped, type CheckTask, type Verdict} from 'cc-core/report'

import {
  allowDebugging,
  allowMigration,
  changeCmdline,
  changeCpus,
  changeCpuType,
  changeDisk,
  changeFirmware,
  changeHostData,
  changeInitrd,
  changeKernel,
  withoutNetwork,
  type Change,
} from '../acceptance/changes.js'
import {launch, launchWords} from '../acceptance/launch.js'
import {
  judgePutBack,
  judgeRefused,
  judgeReleased,
  judgeTyped,
  judgeUnchanged,
  type Launch,
  type Refusal,
} from '../judges/acceptance.js'

type OnLine = (line: string) => void

export interface AcceptanceSubject {
  image: ImageDirectory
  /** Whether its keys come from a key broker. */
  kbs: boolean
  /** Options of launch_cc_image.sh for this host. */
  words: readonly string[]
  /** How the scripts in trustee/ are called; null: nobody may change what the broker releases. */
  administrator: readonly string[] | null
  /** A newer build of the image; null: none was named. */
  successor: string | null
  /** The command that sets the confidential mode of the GPU; null: none was named. */
  gpuMode: ((mode: 'on' | 'off') => readonly string[]) | null
  timeoutMs: number
  lingerMs: number
  scratch: string
  signal: AbortSignal
}

/** Denied by the broker. */
const denied = /denied by its policy|no such resource|Attestation error/
/** The same; or, for a key that the processor derives, another key. */
const otherMeasurement = new RegExp(`${denied.source}|the key does not open it`)
const measured: Refusal = {reason: otherMeasurement, notStarted: true}
/** For a launch in which nothing differs: the processor has nothing to refuse. */
const withdrawn: Refusal = {reason: denied, notStarted: false}
const silent: Refusal = {reason: /the network: |no answer|Connection refused|timed out|not reached/, notStarted: false}
const typed = '\nroot\nid\nreboot\n\u0003\u0004'

/**
 * The acceptance tests of NVIDIA's reference architecture for confidential VMs, as far as a program can make them: a launch as it
 * is meant, then one change after the other, each of which must be refused.
 */
export function acceptanceChecks(subject: AcceptanceSubject): CheckTask[] {
  const {image, kbs, successor, administrator, gpuMode} = subject
  // Every launch with a change is compared with this one: it is made once, whichever row is the first to need it.
  let unchanged: Promise<Launch> | undefined
  const released = (onLine: OnLine) => (unchanged ??= start(subject, 'released', onLine))
  const ifReleased = async (onLine: OnLine, then: () => Promise<Verdict>): Promise<Verdict> => {
    const verdict = judgeUnchanged(await released(onLine))
    return verdict.status === 'passed' ? then() : verdict
  }
  const {vcpus = [], cpuTypes = []} = image.manifest.launch ?? {}
  const root = image.manifest.partitions.find(({name}) => name === 'cc-root')
  const refused = (id: string, title: string, action: string, change: Change, refusal: Refusal): CheckTask => ({
    ...{id, title, action, group: 'refused'},
    run: (onLine) => ifReleased(onLine, async () => judgeRefused(await start(subject, id, onLine, change), refusal)),
  })
  const withBroker = (task: CheckTask): CheckTask =>
    kbs ? task : {...task, run: () => skipped('no key of this image comes from a key broker')}
  return [
    {
      ...{id: 'released', group: 'released', title: 'The image starts as it is meant to, and gets its keys'},
      run: async (onLine) => judgeReleased(await released(onLine)),
    },
    {
      ...{id: 'console', group: 'released', title: 'Nobody answers at the console'},
      action: 'types names, commands and control characters at the serial console, from the start on',
      run: async (onLine) => judgeTyped(await start(subject, 'console', onLine, undefined, typed)),
    },
    refused('vcpus', 'Another number of processors gets no key', 'launches with more', changeCpus(vcpus), measured),
    refused(
      'cpu-type',
      'Another type of processor gets no key',
      'launches with another -cpu',
      changeCpuType(cpuTypes),
      measured,
    ),
    refused('firmware', 'Another firmware gets no key', 'changes a byte of its padding', changeFirmware, measured),
    refused('kernel', 'Another kernel gets no key', 'appends a byte', changeKernel, measured),
    refused('initrd', 'Another initrd gets no key', 'appends 512 zeros', changeInitrd, measured),
    // The guest looks at it before it asks for a key: this says nothing of the broker.
    refused('cmdline', 'Another command line stops the machine', 'asks for rescue.target', changeCmdline, {
      reason: new RegExp(`cc: FAILED: the kernel command line is |${otherMeasurement.source}`),
      notStarted: true,
    }),
    refused('debug', 'A launch with debugging gets no key', 'sets bit 0x80000 of the policy', allowDebugging, measured),
    refused('migration', 'A launch with a migration agent gets no key', 'sets bit 0x40000', allowMigration, measured),
    {
      ...refused(
        'disk',
        'A changed root stops the machine',
        'changes a block of each MiB',
        changeDisk(root?.start ?? 0, root?.size ?? 0),
        {
          reason:
            /not syncing: dm-verity|cc: FAILED: cc-root: .*(the key does not open it|cannot be mounted|verity|altered|does not match)/,
          notStarted: false,
        },
      ),
      ...(root === undefined && {run: () => skipped('the image has no cc-root')}),
    },
    withBroker(
      (image.manifest.launch?.hostData ?? []).length > 0
        ? refused('host-data', 'Other HOST_DATA gets no key', 'launches with zeros', changeHostData, measured)
        : {
            id: 'host-data',
            title: 'Other HOST_DATA gets no key',
            run: () => skipped('the image accepts any HOST_DATA'),
          },
    ),
    withBroker(
      refused(
        'broker-silent',
        'A broker that is not reached gives no key',
        'takes the network card away',
        withoutNetwork,
        silent,
      ),
    ),
    withBroker({
      ...{
        id: 'withdrawn',
        group: 'broker',
        title: 'Withdrawn keys are refused, and released again when they are sent again',
      },
      action: 'calls trustee/revoke.sh, launches, calls trustee/upload.sh, launches',
      run: (onLine) =>
        administrator === null
          ? skipped(noAdministrator)
          : ifReleased(onLine, () => withdraw(subject, administrator, onLine)),
    }),
    withBroker({
      ...{id: 'rotation', group: 'broker', title: 'A newer build gets the keys, and the older one none'},
      action: 'calls trustee/upload.sh --replace-keys of the newer build, launches both',
      run: (onLine) => {
        if (administrator === null) return skipped(noAdministrator)
        return successor === null
          ? skipped('no newer build was named: --successor DIR')
          : ifReleased(onLine, () => rotate(subject, administrator, successor, onLine))
      },
    }),
    {
      ...{id: 'gpu-mode', group: 'gpu', title: 'A GPU without confidential computing is not used'},
      action: 'switches its confidential mode off, launches, and switches it on again',
      run: (onLine) =>
        gpuMode === null
          ? skipped('no GPU was named: --gpu ADDRESS --gpu-admin-tools FILE')
          : ifReleased(onLine, () => withoutGpuMode(subject, gpuMode, onLine)),
    },
  ]
}

const noAdministrator = 'nobody may change what the broker releases: --admin-token FILE'

/** Launch the image, changed or not. Each launch has a folder of its own, with its console. */
async function start(
  {image, words, timeoutMs, lingerMs, scratch, signal}: AcceptanceSubject,
  id: string,
  onLine: OnLine,
  change: Change = (same) => Promise.resolve([...same]),
  keys?: string,
  folderOf = image.path,
) {
  const folder = join(scratch, id)
  await mkdir(folder, {recursive: true})
  const command = await change(await launchWords(folderOf, words, signal), folder)
  const options = {timeoutMs, lingerMs, signal, onLine, logFile: join(folder, 'console.log')}
  return launch(command, {...options, ...(keys !== undefined && {typed: keys})})
}

const trustee = (image: string, script: string, words: readonly string[]) => [
  'bash',
  join(image, 'trustee', script),
  ...words,
]

async function withdraw(subject: AcceptanceSubject, words: readonly string[], onLine: OnLine): Promise<Verdict> {
  const {image, signal} = subject
  const sendAgain = trustee(image.path, 'upload.sh', words)
  const refusedThen = await puttingBack(sendAgain, 'the keys are still withdrawn', async () => {
    await run(trustee(image.path, 'revoke.sh', words), {collect: true, signal})
    return judgeRefused(await start(subject, 'withdrawn', onLine), withdrawn)
  })
  if (refusedThen.status !== 'passed') return refusedThen
  return judgeReleased(await start(subject, 'sent-again', onLine))
}

async function rotate(
  subject: AcceptanceSubject,
  words: readonly string[],
  successor: string,
  onLine: OnLine,
): Promise<Verdict> {
  const {image, signal} = subject
  const replace = [...words, '--replace-keys']
  const sendOlder = trustee(image.path, 'upload.sh', replace)
  return puttingBack(sendOlder, 'the broker still has the keys of the newer build', async () => {
    await run(trustee(successor, 'upload.sh', replace), {collect: true, signal})
    const newer = judgeReleased(await start(subject, 'newer', onLine, undefined, undefined, successor))
    if (newer.status !== 'passed') return newer
    return judgeRefused(await start(subject, 'older', onLine), withdrawn)
  })
}

async function withoutGpuMode(
  subject: AcceptanceSubject,
  command: (mode: 'on' | 'off') => readonly string[],
  onLine: OnLine,
): Promise<Verdict> {
  return puttingBack(command('on'), 'the confidential mode of the GPU is still off', async () => {
    await run(command('off'), {signal: subject.signal})
    return judgeRefused(await start(subject, 'gpu-mode', onLine), {
      reason: /GPU: .*(confidential computing is|attestation failed)/,
      notStarted: false,
    })
  })
}

/** How long putting back may take; nothing else ends it. */
const putBackMs = 300_000

/**
 * Make a change outside of the machine, and put it back whatever comes of it: what failed half-way has changed something,
 * too, and so has what was interrupted. So the signal of the run does not reach the command.
 * @param argv puts it back
 * @param still what remains where that fails
 */
async function puttingBack(argv: readonly string[], still: string, work: () => Promise<Verdict>): Promise<Verdict> {
  const worked = await work().catch(toCcError)
  const problem = await run(argv, {collect: true, timeoutMs: putBackMs}).then(
    () => null,
    (error: unknown) => toCcError(error).message,
  )
  const command = formatCommand(argv)
  const after = judgePutBack({problem}, {still, command})
  if (after.status !== 'passed') {
    if (!CcError.is(worked)) return {...after, detail: `${after.detail}; before that: ${worked.detail}`}
    throw new CcError(worked.code, `${worked.message}; ${after.detail}`, {suggestions: [command], reason: worked})
  }
  if (CcError.is(worked)) throw worked
  return worked
}
