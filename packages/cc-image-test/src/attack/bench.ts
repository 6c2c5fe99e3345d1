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

import {describeExit, shellLines} from '../image/console.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {stateOf, type GuestState} from './guest-state.js'
import {firstDisk, layeredDisk, type Machine} from './machine.js'
import {broken, defended} from './manipulation.js'
import type {Verdict} from 'cc-core/report'

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

/** @param impossible why nothing of this image can be booted here, or null */
export function makeBench(subject: ImageUnderTest, settings: BenchSettings, impossible: string | null): Bench {
  const {image, disk, scratch, signal} = subject
  const {manifest} = image
  const isUp = (line: string) => (manifest.stage === 'hardened' ? line.startsWith('CC-HARDENED {') : isBootReport(line))
  let first: Promise<GuestState> | undefined
  const bench: Bench = {
    ...{subject, settings, isUp, impossible},
    baseline: () => (first ??= untouched(bench)),
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
      const {accelerator} = await settings.accelerator()
      const {disks, initrd, cmdline, rootKey, devices, network, monitor, folder} = machine
      const request: BootOptions = {
        vm: {
          ...{accelerator, memoryMiB: settings.memoryMiB, cpus: 1, kernel: image.file('vmlinuz'), initrd, cmdline},
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

async function untouched(bench: Bench): Promise<GuestState> {
  const boot = await bench.boot(await bench.machine('untouched'))
  if (boot.matched === null) throw new Error(`the untouched image does not come up: ${describeExit(boot)}`)
  return stateOf(boot.lines)
}

/** What must come of a boot. */
export interface Expectation {
  /** The machine powers off, and one of its last lines is like this. */
  detected?: RegExp
  /** The machine comes up in the state of the untouched one; or in another that is as good, null if it is. */
  powerless?: true | ((state: GuestState, baseline: GuestState) => string | null)
  /** Why that is so, for the report. */
  because: string
}

/** Judge a boot that was tampered with. A shell is never right. */
export async function judgeBoot(bench: Bench, boot: BootResult, expected: Expectation): Promise<Verdict> {
  const shells = shellLines(boot.lines)
  if (shells.length > 0) return broken(`a shell or a login is offered: ${shells.join(', ')}`)
  if (boot.lines.some((line) => line.includes('CC-OWNED'))) return broken('a program of the host runs in the machine')
  if (boot.matched !== null) return judgeRunning(bench, boot, expected)
  if (boot.exit !== 'powered-off' && boot.exit !== 'panicked') return broken(describeExit(boot))
  if (expected.detected === undefined) return broken(`it is not powerless: ${describeExit(boot)}`)
  const line = boot.lines.findLast((text) => expected.detected?.test(text))
  if (line === undefined) return broken(`it ends, but for another reason: ${describeExit(boot)}`)
  return defended('detected', `${expected.because}: '${tidy(line)}'`)
}

async function judgeRunning(bench: Bench, {lines}: BootResult, {powerless, because}: Expectation): Promise<Verdict> {
  if (powerless === undefined) return broken('it comes up as if nothing had been done')
  const [state, baseline] = [stateOf(lines), await bench.baseline()]
  const difference = powerless === true ? differenceOf(state, baseline) : powerless(state, baseline)
  return difference === null ? defended('powerless', because) : broken(`it comes up in another state: ${difference}`)
}

/** What two machines say differently of themselves; null for nothing. */
export function differenceOf(state: GuestState, baseline: GuestState): string | null {
  const keys = [...new Set([...Object.keys(baseline), ...Object.keys(state)])]
  const different = keys
    .map((key) => [key, textOf(baseline[key]), textOf(state[key])] as const)
    .filter(([, before, after]) => before !== after)
    .map(([key, before, after]) => `${key} is ${after}, not ${before}`)
  return different.length === 0 ? null : different.join('; ')
}

/** A line of the console without the time stamp of the kernel. */
const tidy = (line: string) =>
  line
    .trim()
    .replace(/^\[\s*[\d.]+\] /, '')
    .slice(0, 200)

const textOf = (value: unknown) => (value === undefined ? 'missing' : JSON.stringify(value))
