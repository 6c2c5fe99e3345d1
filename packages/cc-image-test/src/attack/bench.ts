import {join} from 'node:path'

import {mkdirp} from 'cc-core/fs'
import {
  bootAndWatch,
  developmentKeys,
  isBootReport,
  type Accelerator,
  type BootOptions,
  type BootResult,
} from 'cc-core/vm'

import type {Verdict} from 'cc-core/report'

import type {Boots} from '../image/boots.js'
import type {ImageUnderTest} from '../image/under-test.js'
import type {DiskUse} from '../judges/disk-use.js'
import {judgeTampered, type Expectation} from '../judges/boot.js'
import {describeExit} from '../judges/console-text.js'
import {stateOf, stateProblem, type GuestState} from '../judges/guest-state.js'
import {channelsIn} from './channels.js'
import {firstDisk, layeredDisk, type Machine} from './machine.js'

export interface BenchSettings {
  accelerator: () => Promise<{accelerator: Accelerator}>
  timeoutMs: number
  memoryMiB: number
  /** How long a machine that came up is watched on: what is offered to the host comes then. */
  lingerMs: number
  logDir: string
}

/** Where manipulations are tried. */
export interface Bench {
  subject: ImageUnderTest
  settings: BenchSettings
  /** The boot that nobody tampered with: what all others are compared with. */
  baseline: () => Promise<GuestState>
  /** A machine as it should be, to be tampered with. */
  machine: (id: string, options?: {diskBytes?: number}) => Promise<Machine>
  boot: (machine: Machine, options?: Partial<BootOptions>) => Promise<BootResult>
  /** Null: this host cannot hand the key over, so nothing is booted; the reason. */
  impossible: string | null
  /** The line after which nothing more is to be waited for. */
  isUp: (line: string) => boolean
}

const noTimer = "IO-APIC + timer doesn't work"
const tries = 4

/** @param boots of the image as it is: the first of them is what all others are compared with */
export function makeBench(
  subject: ImageUnderTest,
  settings: Omit<BenchSettings, 'accelerator'>,
  {impossible, accelerator, withKey}: Pick<Boots, 'impossible' | 'accelerator' | 'withKey'>,
): Bench {
  const {image, disk, scratch, signal} = subject
  const {manifest} = image
  const isUp = (line: string) => (manifest.stage === 'hardened' ? line.startsWith('CC-HARDENED {') : isBootReport(line))
  let first: Promise<GuestState> | undefined
  const bench: Bench = {
    ...{subject, settings: {...settings, accelerator}, isUp, impossible},
    baseline: () => (first ??= withKey().then((boot) => untouched(bench, boot))),
    async machine(id, {diskBytes} = {}) {
      const folder = join(scratch, 'attack', id)
      mkdirp(folder)
      const layer = await layeredDisk(disk, folder, diskBytes)
      return {
        ...{folder, disk: layer, disks: [firstDisk(layer)], devices: [], network: 'none', monitor: undefined},
        ...{initrd: image.file('initrd.img'), cmdline: manifest.cmdline, rootKey: image.file('keys/root.key')},
      }
    },
    async boot(machine, options = {}) {
      const choice = await accelerator()
      const {disks, initrd, cmdline, rootKey, devices, network, monitor, folder} = machine
      const {memoryMiB = settings.memoryMiB, cpus = 1} = machine
      const request: BootOptions = {
        vm: {
          ...{accelerator: choice.accelerator, memoryMiB, cpus, kernel: image.file('vmlinuz'), initrd, cmdline},
          ...{disks, more: devices, ...(network && {network}), ...(monitor !== undefined && {monitor})},
          keys: developmentKeys(image, rootKey),
        },
        ...{until: isUp, timeoutMs: settings.timeoutMs, lingerMs: settings.lingerMs, signal},
        logFile: join(settings.logDir, `${folder.split('/').at(-1) ?? 'attack'}.log`),
        ...options,
      }
      // A host that is too busy gives the guest no tick of its timer in time, and the kernel gives up before any
      // program of ours has run. That says nothing about the image.
      for (let attempt = 1; ; attempt++) {
        const result = await bootAndWatch(request)
        if (attempt === tries || !result.lines.some((line) => line.includes(noTimer))) return result
      }
    },
  }
  return bench
}

function untouched(bench: Bench, boot: BootResult): GuestState {
  if (boot.matched === null) throw new Error(`the untouched image does not come up: ${describeExit(boot)}`)
  const state = stateOf(boot.lines)
  const problem = stateProblem(state, isHardened(bench))
  if (problem !== null)
    throw new Error(`the untouched image comes up, but what it says of itself is no use: ${problem}`)
  return state
}

const isHardened = ({subject}: Bench) => subject.image.manifest.stage === 'hardened'

/**
 * Judge a boot that was tampered with.
 * @param seen the folder of the machine, where its further consoles were written to; what it did to its disks
 */
export async function judgeBoot(
  bench: Bench,
  boot: BootResult,
  expected: Expectation,
  {folder, disks}: {folder?: string; disks?: readonly DiskUse[] | undefined} = {},
): Promise<Verdict> {
  // What ends for its own reason needs no other boot to be compared with.
  const baseline = boot.matched === null || expected.powerless === undefined ? undefined : await bench.baseline()
  const channels = folder === undefined ? {} : await channelsIn(folder)
  return judgeTampered({boot, baseline, channels, disks}, {...expected, hardened: isHardened(bench)})
}
