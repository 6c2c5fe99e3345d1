import type {Readable} from 'node:stream'

import {CcError} from '../errors/index.js'
import {formatCommand, run, SubprocessError} from '../exec/index.js'
import {formatMs, plainText} from '../ui/index.js'
import {ConsoleRecord} from './console.js'
import {qemuCommand, type VmOptions} from './qemu-command.js'

export interface BootOptions extends WatchOptions {
  vm: Omit<VmOptions, 'console'>
}

/** How a machine is watched. */
export interface WatchOptions {
  /** Ends the boot at the first line that it matches. Without it the boot ends when the machine does. */
  until?: RegExp | ((line: string) => boolean)
  /** How long the machine may run. Generous: without KVM and beside other work a boot takes a minute. */
  timeoutMs: number
  /** How long the machine runs on after the match, so that what follows is seen, too; 0 by default. */
  lingerMs?: number
  /**
   * What is done to the machine after the match; the machine is stopped when it ends. The signal says that the machine
   * has ended by itself.
   */
  whileUp?: (signal: AbortSignal) => Promise<void>
  /** What is typed at the serial console, by whoever holds the stream. Ctrl-A is QEMU's, as in qemu(1). */
  keys?: Readable
  signal?: AbortSignal | undefined
  /** The console goes there, without control characters. */
  logFile?: string
  onLine?: (line: string) => void
}

/** How a boot ended. running: the line was seen, and we stopped the machine. */
export type BootExit = 'powered-off' | 'panicked' | 'running' | 'timed-out'

export interface BootResult {
  /** The console without control characters; of very much output the end. */
  lines: string[]
  /** The line that `until` matched. */
  matched: string | null
  exit: BootExit
  /** From the start of QEMU to the match, or to the end of the machine. */
  ms: number
}

/** Boot a machine that is described, and read its console: see watchMachine. */
export function bootAndWatch({vm, ...options}: BootOptions): Promise<BootResult> {
  return watchMachine(qemuCommand({...vm, console: options.keys === undefined ? 'stdout' : 'keys'}), options)
}

/**
 * Run a machine and read its console. No QEMU is left when this returns or throws.
 * @param argv the command of QEMU, with the console on standard output
 * @throws E_VM where QEMU itself failed, E_INTERRUPTED on abort, E_HOST_TOOL without QEMU
 */
export async function watchMachine(argv: readonly string[], options: WatchOptions): Promise<BootResult> {
  const {until, timeoutMs, lingerMs = 0, signal, logFile, onLine, whileUp, keys} = options
  const record = new ConsoleRecord(logFile)
  record.note(`$ ${formatCommand(argv)}`)
  const seen = new AbortController()
  const started = Date.now()
  const found: {matched: string | null; ms: number | null; panicked: boolean} = {
    matched: null,
    ms: null,
    panicked: false,
  }
  let linger: NodeJS.Timeout | undefined
  let meanwhile: Promise<void> | undefined
  const ended = new AbortController()
  const read = (raw: string) => {
    const line = record.add(raw)
    onLine?.(line)
    found.panicked ||= line.includes('Kernel panic - not syncing')
    if (found.matched !== null || until === undefined || !matches(until, line)) return
    found.matched = line
    found.ms = Date.now() - started
    const stop = () => {
      linger = setTimeout(() => {
        seen.abort()
      }, lingerMs)
    }
    if (whileUp === undefined) stop()
    else {
      meanwhile = whileUp(ended.signal)
      meanwhile.then(stop, stop)
    }
  }

  const finish = async (exit: BootExit): Promise<BootResult> => {
    ended.abort()
    await meanwhile
    const time = found.ms ?? Date.now() - started
    record.note(`# ${exit} after ${formatMs(time)}`)
    return {lines: record.lines, matched: found.matched, exit, ms: time}
  }
  try {
    await run(argv, {
      signal: signal === undefined ? seen.signal : AbortSignal.any([signal, seen.signal]),
      timeoutMs,
      graceMs: 2000,
      ...(keys && {input: keys}),
      onLine: (line, stream) => {
        if (stream === 'stdout') read(line)
      },
    })
    return await finish(found.panicked ? 'panicked' : 'powered-off')
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error
    if (error.kind === 'timed-out') return await finish(found.matched === null ? 'timed-out' : 'running')
    if (error.kind === 'killed' && seen.signal.aborted && !signal?.aborted) return await finish('running')
    // Not only by its exit status: QEMU aborts where KVM refuses what the processor claims to have.
    if (error.kind === 'exited' || (error.kind === 'killed' && !signal?.aborted)) throw failedQemu(error)
    throw error
  } finally {
    ended.abort()
    clearTimeout(linger)
    await record.close()
  }
}

/** search() and not test(), which remembers where it was when the expression is global. */
function matches(until: RegExp | ((line: string) => boolean), line: string): boolean {
  return typeof until === 'function' ? until(line) : line.search(until) >= 0
}

/** QEMU's own words are on stderr; what is on stdout is the guest's. */
function failedQemu(error: SubprocessError): CcError {
  const said = error.stderr.split('\n').map(plainText).filter(Boolean).slice(-3).join('; ')
  return new CcError('E_VM', `QEMU failed: ${said === '' ? error.details.message : said}`, {
    suggestions: ["run 'cc-image-test host' to see what this host lacks"],
    reason: error,
  })
}
