import {basename} from 'node:path'
import {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'

import {execa} from 'execa'

import {baseEnvironment, findProgram} from './environment.js'
import {SubprocessError, type SubprocessDetails} from './error.js'
import {formatCommand} from './format.js'
import {guard} from './guardian.js'
import {openLog} from './log.js'
import {LineSplitter, Tail} from './output.js'

export interface RunOptions {
  /** Working directory; ours by default. */
  cwd?: string
  /** Variables added to the clean base environment. Undefined takes a variable away from it. */
  env?: Readonly<Record<string, string | undefined>>
  /** What the program reads from stdin; nothing by default. A stream is for what is only known while it runs. */
  input?: string | Uint8Array | Readable
  /** Keeps input, the values of `env` and stdout out of the log and out of errors. Stderr is logged. */
  secret?: boolean
  /** Aborting it ends the process group: SIGTERM, and SIGKILL after `graceMs`. */
  signal?: AbortSignal
  /** Command line, output and exit status are appended to this file. */
  logFile?: string
  /** Called for each line as it arrives. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void
  /** Ends the process group after this time. */
  timeoutMs?: number
  /** From SIGTERM to SIGKILL; 5000 by default. */
  graceMs?: number
  /** Throw on a non-zero exit status; true by default. */
  check?: boolean
  /** Return all of stdout instead of its last 64 KiB. */
  collect?: boolean
}

export interface RunResult {
  exitCode: number
  /** The last 64 KiB, or everything with `collect`; without the closing line end. */
  stdout: string
  stderr: string
  ms: number
}

const keptBytes = 64 * 1024
const keptLines = 20
/** How long we go on reading after the program ended: what it started may still hold its stdout. */
const drainMs = 1000

/**
 * Runs a program to its end; never through a shell. The program and all it started die with us: by the parent death
 * signal, by the guardian for what it started, and nothing of its process group is left when this returns.
 * @throws SubprocessError
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = ''] = argv
  const {cwd = process.cwd(), signal, graceMs = 5000, secret = false} = options
  const env = definedOnly({...baseEnvironment(), ...options.env})
  const name = basename(program)
  const fail = (details: Omit<SubprocessDetails, 'argv' | 'logFile'>, aborted = false) =>
    new SubprocessError({...details, argv, logFile: options.logFile}, aborted)

  for (const needed of [program, 'setpriv']) {
    if (findProgram(needed, env['PATH']) !== null) continue
    const message = `the program '${needed}' is not on this host`
    throw fail({kind: 'spawn-failed', message, suggestions: ["run 'cc-image-test host' to see what to install"]})
  }
  if (signal?.aborted) throw fail({kind: 'killed', message: `${name} was not started: interrupted`}, true)

  const log = await openLog(options.logFile)
  try {
    const started = Date.now()
    await log.write(preamble(argv, cwd, options))
    const child = execa('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      cwd,
      env,
      extendEnv: false,
      detached: true, // A session of its own, so that one signal reaches everything it started.
      cleanup: false,
      reject: false,
      buffer: false,
      ...(options.input === undefined ? {stdin: 'ignore'} : {input: options.input}),
    })
    const {pid} = child
    if (pid === undefined) {
      const {originalMessage} = await child
      throw fail({
        kind: 'spawn-failed',
        message: `cannot start ${name} in ${cwd}: ${originalMessage ?? 'no reason given'}`,
      })
    }

    const unguard = guard(pid)
    const group = new ProcessGroup(pid, graceMs)
    const onAbort = () => {
      group.end('aborted')
    }
    signal?.addEventListener('abort', onAbort, {once: true})
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            group.end('timed out')
          }, options.timeoutMs)

    const lastLines: string[] = []
    const tails = {stdout: new Tail(options.collect ? Infinity : keptBytes), stderr: new Tail(keptBytes)}
    const read = async (stream: 'stdout' | 'stderr', source: Readable) => {
      const hidden = secret && stream === 'stdout'
      const splitter = new LineSplitter((line) => {
        options.onLine?.(line, stream)
        if (hidden || line === '') return
        lastLines.push(line.slice(0, 500))
        if (lastLines.length > keptLines) lastLines.shift()
      })
      try {
        for await (const chunk of source as AsyncIterable<Buffer>) {
          tails[stream].push(chunk)
          splitter.push(chunk)
          if (!hidden) await log.write(chunk)
        }
      } catch (error) {
        if (!isPrematureClose(error)) throw error // That is the pipe which we closed ourselves, below.
      }
      splitter.end()
    }

    const exited = new Promise<void>((resolve) =>
      child.once('exit', () => {
        resolve()
      }),
    )
    const drained = Promise.all([read('stdout', child.stdout), read('stderr', child.stderr)])
    try {
      await Promise.race([drained, exited.then(() => sleep(drainMs, undefined, {ref: false}))])
      await exited
    } catch (error) {
      group.kill()
      await exited
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      group.kill()
      unguard()
    }
    await Promise.race([drained, sleep(drainMs, undefined, {ref: false})])
    child.stdout.destroy()
    child.stderr.destroy()

    const exitCode = child.exitCode
    const signalName = child.signalCode ?? undefined
    const ms = Date.now() - started
    const ending = signalName === undefined ? `exit status ${exitCode}` : `killed by ${signalName}`
    await log.write(`# ${new Date().toISOString()} ${ending} after ${(ms / 1000).toFixed(1)} s\n\n`)

    const stdout = tails.stdout.toString()
    const stderr = tails.stderr.toString()
    const details = {exitCode: exitCode ?? undefined, signalName, stdout: secret ? '' : stdout, stderr, lastLines}
    if (group.reason === 'aborted')
      throw fail({...details, kind: 'killed', message: `${name} was interrupted`, lastLines: []}, true)
    if (group.reason === 'timed out') {
      const message = `${name} did not end within ${(options.timeoutMs ?? 0) / 1000} s`
      throw fail({...details, kind: 'timed-out', message})
    }
    if (exitCode === null)
      throw fail({...details, kind: 'killed', message: `${name} was killed by ${signalName ?? 'a signal'}`})
    if (exitCode !== 0 && options.check !== false) {
      throw fail({...details, kind: 'exited', message: `${name} failed with exit status ${exitCode}`})
    }
    return {exitCode, stdout, stderr, ms}
  } finally {
    await log.close()
  }
}

/** The program and everything it started. */
class ProcessGroup {
  /** Why we asked it to end. */
  reason: 'aborted' | 'timed out' | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly id: number,
    private readonly graceMs: number,
  ) {}

  end(reason: 'aborted' | 'timed out'): void {
    this.reason ??= reason
    this.#send('SIGTERM')
    this.#timer ??= setTimeout(() => {
      this.#send('SIGKILL')
    }, this.graceMs)
  }

  kill(): void {
    clearTimeout(this.#timer)
    this.#send('SIGKILL')
  }

  #send(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.id, signal)
    } catch {
      // ESRCH: it has ended by itself.
    }
  }
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function definedOnly(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function preamble(argv: readonly string[], cwd: string, {env = {}, input, secret = false}: RunOptions): string {
  const shown = secret ? Object.fromEntries(Object.keys(env).map((name) => [name, '…'])) : definedOnly(env)
  const lines = [`# ${new Date().toISOString()} in ${cwd}`, `$ ${formatCommand(argv, shown)}`]
  if (input instanceof Readable) lines.push('# stdin: a stream')
  else if (input !== undefined) {
    lines.push(
      secret || typeof input !== 'string' ? `# stdin: ${input.length} bytes` : `# stdin: ${JSON.stringify(input)}`,
    )
  }
  return lines.join('\n') + '\n'
}
