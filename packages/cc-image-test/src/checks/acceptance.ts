import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
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
import {judgeRefused, judgeReleased, judgeTyped, type Refusal} from '../judges/acceptance.js'

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

/** Denied by the broker; or, for a key that the processor derives, another key. */
const otherMeasurement = /denied by its policy|no such resource|Attestation error|the key does not open it/
const measured: Refusal = {reason: otherMeasurement, notStarted: true}
const silent: Refusal = {reason: /the network: |no answer|Connection refused|timed out|not reached/, notStarted: false}
const typed = '\nroot\nid\nreboot\n\u0003\u0004'

/**
 * The acceptance tests of NVIDIA's reference architecture for confidential VMs, as far as a program can make them: a launch as it
 * is meant, then one change after the other, each of which must be refused.
 */
export function acceptanceChecks(subject: AcceptanceSubject): CheckTask[] {
  const {image, kbs, successor, administrator, gpuMode} = subject
  const root = image.manifest.partitions.find(({name}) => name === 'cc-root')
  const refused = (id: string, title: string, action: string, change: Change, refusal: Refusal): CheckTask => ({
    ...{id, title, action, group: 'refused'},
    run: async (onLine) => judgeRefused(await start(subject, id, onLine, change), refusal),
  })
  const withBroker = (task: CheckTask): CheckTask =>
    kbs ? task : {...task, run: () => skipped('no key of this image comes from a key broker')}
  return [
    {
      ...{id: 'released', group: 'released', title: 'The image starts as it is meant to, and gets its keys'},
      run: async (onLine) => judgeReleased(await start(subject, 'released', onLine)),
    },
    {
      ...{id: 'console', group: 'released', title: 'Nobody answers at the console'},
      action: 'types names, commands and control characters at the serial console, from the start on',
      run: async (onLine) => judgeTyped({...(await start(subject, 'console', onLine, undefined, typed)), typed}),
    },
    refused('vcpus', 'Another number of processors gets no key', 'launches with one more', changeCpus, measured),
    refused('cpu-type', 'Another type of processor gets no key', 'launches with another -cpu', changeCpuType, measured),
    refused('firmware', 'Another firmware gets no key', 'changes a byte of its padding', changeFirmware, measured),
    refused('kernel', 'Another kernel gets no key', 'appends a byte', changeKernel, measured),
    refused('initrd', 'Another initrd gets no key', 'appends 512 zeros', changeInitrd, measured),
    refused('cmdline', 'Another command line gets no key', 'asks for rescue.target', changeCmdline, {
      reason: new RegExp(`command line|${otherMeasurement.source}`),
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
          reason: /dm-verity|verity|Kernel panic|the key does not open it|cannot be mounted/,
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
      run: async (onLine) =>
        administrator === null ? skipped(noAdministrator) : withdraw(subject, administrator, onLine),
    }),
    withBroker({
      ...{id: 'rotation', group: 'broker', title: 'A newer build gets the keys, and the older one none'},
      action: 'calls trustee/upload.sh --replace-keys of the newer build, launches both',
      run: async (onLine) => {
        if (administrator === null) return skipped(noAdministrator)
        return successor === null
          ? skipped('no newer build was named: --successor DIR')
          : rotate(subject, administrator, successor, onLine)
      },
    }),
    {
      ...{id: 'gpu-mode', group: 'gpu', title: 'A GPU without confidential computing is not used'},
      action: 'switches its confidential mode off, launches, and switches it on again',
      run: async (onLine) =>
        gpuMode === null
          ? skipped('no GPU was named: --gpu ADDRESS --gpu-admin-tools FILE')
          : withoutGpuMode(subject, gpuMode, onLine),
    },
  ]
}

const noAdministrator = 'nobody may change what the broker releases: --admin-token FILE'

/** Launch the image, changed or not. Each launch has a folder of its own, with its console. */
async function start(
  {image, words, timeoutMs, lingerMs, scratch, signal}: AcceptanceSubject,
  id: string,
  onLine: (line: string) => void,
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

const trustee = (image: string, script: string, words: readonly string[], signal: AbortSignal) =>
  run(['bash', join(image, 'trustee', script), ...words], {collect: true, signal})

async function withdraw(
  subject: AcceptanceSubject,
  words: readonly string[],
  onLine: (line: string) => void,
): Promise<Verdict> {
  const {image, signal} = subject
  let refusedThen: Verdict
  // A script that fails half-way has changed something, too.
  try {
    await trustee(image.path, 'revoke.sh', words, signal)
    refusedThen = judgeRefused(await start(subject, 'withdrawn', onLine), measured)
  } finally {
    await trustee(image.path, 'upload.sh', words, signal)
  }
  if (refusedThen.status !== 'passed') return refusedThen
  return judgeReleased(await start(subject, 'sent-again', onLine))
}

async function rotate(
  subject: AcceptanceSubject,
  words: readonly string[],
  successor: string,
  onLine: (line: string) => void,
): Promise<Verdict> {
  const {image, signal} = subject
  try {
    await trustee(successor, 'upload.sh', [...words, '--replace-keys'], signal)
    const newer = judgeReleased(await start(subject, 'newer', onLine, undefined, undefined, successor))
    if (newer.status !== 'passed') return newer
    return judgeRefused(await start(subject, 'older', onLine), measured)
  } finally {
    await trustee(image.path, 'upload.sh', [...words, '--replace-keys'], signal)
  }
}

async function withoutGpuMode(
  subject: AcceptanceSubject,
  command: (mode: 'on' | 'off') => readonly string[],
  onLine: (line: string) => void,
): Promise<Verdict> {
  try {
    await run(command('off'), {signal: subject.signal})
    return judgeRefused(await start(subject, 'gpu-mode', onLine), {
      reason: /GPU: .*(confidential computing is|attestation failed)/,
      notStarted: false,
    })
  } finally {
    await run(command('on'), {signal: subject.signal})
  }
}
