import {randomBytes} from 'node:crypto'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout} from 'node:timers/promises'

import {bootAndWatch, chooseAccelerator, developmentKeys, isBootReport, isSettledReport, qemuCommand} from 'cc-core/vm'
import type {Accelerator, AcceleratorChoice, BootResult, VmOptions} from 'cc-core/vm'

import type {ImageUnderTest} from './under-test.js'

export interface BootSettings {
  /** null: what works on this host. */
  accelerator: Accelerator | null
  timeoutMs: number
  memoryMiB: number
  /** How long the console is watched after the report: a shell that is offered comes then. */
  lingerMs: number
  /** Folder for the console logs. */
  logDir: string
  /** Whether nothing boots before somebody asks for it. */
  lazy?: boolean
}

/** The boots of one image: with its key, and then with another. They run beside the checks of the files. */
export interface Boots {
  /** Null: this host cannot hand the key over, so nothing is booted; the reason. */
  impossible: string | null
  withKey: (onLine?: (line: string) => void) => Promise<BootResult>
  withWrongKey: (onLine?: (line: string) => void) => Promise<BootResult>
  accelerator: () => Promise<AcceleratorChoice>
  /** The boot with the key, where somebody has asked for it; null: nobody did. */
  made: () => Promise<BootResult> | null
  /** Wait until no machine runs any more. */
  settled: () => Promise<void>
}

/** The machine in which an image is tried: it writes to no disk, and has no network. */
export function testMachine(
  {image, disk}: Pick<ImageUnderTest, 'image' | 'disk'>,
  rootKey: string,
  {accelerator, memoryMiB}: {accelerator: Accelerator; memoryMiB: number},
): Omit<VmOptions, 'console'> {
  return {
    ...{accelerator, memoryMiB, cpus: 2},
    kernel: image.file('vmlinuz'),
    initrd: image.file('initrd.img'),
    cmdline: image.manifest.cmdline,
    disks: [{file: disk, serial: 'cc-disk', mode: 'snapshot'}],
    keys: developmentKeys(image, rootKey),
  }
}

/** The command of a boot as a person can run it. */
export function showBoot(subject: Pick<ImageUnderTest, 'image' | 'disk'>, memoryMiB: number): string[] {
  const key = subject.image.file('keys/root.key')
  return qemuCommand({...testMachine(subject, key, {accelerator: 'tcg', memoryMiB}), console: 'stdout'})
}

/** Why an image cannot be booted here, or null. */
export function whyNoBoot({image}: Pick<ImageUnderTest, 'image'>): string | null {
  const source = image.manifest.partitions.find(({name}) => name === 'cc-root')?.key
  return source === 'development'
    ? null
    : `the key source of cc-root is '${source ?? 'none'}', which this test cannot serve`
}

/** Starts the first boot at once, and the second when the first has ended; or each when it is asked for. */
export function startBoots(subject: ImageUnderTest, settings: BootSettings): Boots {
  const {signal, scratch, image} = subject
  const impossible = whyNoBoot(subject)
  const accelerator = settings.accelerator === null ? probed() : Promise.resolve(asked(settings.accelerator))
  const listeners: Record<string, (line: string) => void> = {}

  async function probed(): Promise<AcceleratorChoice> {
    return chooseAccelerator({kernel: image.file('vmlinuz'), signal})
  }
  async function boot(name: string, rootKey: string, until?: (line: string) => boolean): Promise<BootResult> {
    const choice = await accelerator
    const settled = new AbortController()
    return bootAndWatch({
      vm: testMachine(subject, rootKey, {...settings, accelerator: choice.accelerator}),
      ...(until && {until}),
      whileUp: (ended) => patience(AbortSignal.any([settled.signal, ended])),
      ...{timeoutMs: settings.timeoutMs, lingerMs: settings.lingerMs, signal},
      logFile: join(settings.logDir, `${name}.log`),
      onLine: (line) => {
        listeners[name]?.(line)
        if (isSettledReport(line)) settled.abort()
      },
    })
  }
  async function wrong(): Promise<BootResult> {
    const key = join(scratch, 'wrong.key')
    await writeFile(key, randomBytes(32), {mode: 0o600})
    return boot('wrong-key', key)
  }

  const started = new Map<string, Promise<BootResult>>()
  const start = (name: string, run: () => Promise<BootResult>): Promise<BootResult> => {
    const result = started.get(name) ?? (impossible === null ? run() : nothing())
    result.catch(() => undefined) // Whoever asks for it gets the failure.
    started.set(name, result)
    return result
  }
  const first = () => start('boot', () => boot('boot', image.file('keys/root.key'), isBootReport))
  const second = () => start('wrong-key', () => first().then(wrong, wrong))
  if (settings.lazy !== true) void second().catch(() => undefined)
  const listen = (name: string, result: () => Promise<BootResult>) => (onLine?: (line: string) => void) => {
    if (onLine !== undefined) listeners[name] = onLine
    return result()
  }
  return {
    impossible,
    withKey: listen('boot', first),
    withWrongKey: listen('wrong-key', second),
    accelerator: () => accelerator,
    made: () => started.get('boot') ?? null,
    settled: async () => {
      await Promise.allSettled([accelerator, ...started.values()])
    },
  }
}

/** How long the end of a boot is waited for, from the boot report on: systemd gives a unit 90 s to start. */
const settleMs = 150_000

/** Wait for the signal, but not for ever. */
async function patience(signal: AbortSignal): Promise<void> {
  await setTimeout(settleMs, undefined, {signal}).catch(() => undefined)
}

const asked = (accelerator: Accelerator): AcceleratorChoice => ({accelerator, reason: 'as asked for'})

/** There is no boot to wait for; whoever asks has not looked at `impossible`. */
function nothing(): Promise<BootResult> {
  const refused = Promise.reject(new Error('this image is not booted'))
  refused.catch(() => undefined)
  return refused
}
