import {join} from 'node:path'
import {Readable} from 'node:stream'

import {toCcError, CcError} from 'cc-core/errors'
import {run, SubprocessError} from 'cc-core/exec'
import {watchMachine} from 'cc-core/vm'

import {isReady, type Launch} from '../judges/acceptance.js'

/**
 * The command of QEMU with which an image is launched, word by word: what its own launcher prints.
 * @param words options of launch_cc_image.sh
 * @throws E_VM with the launcher's own words where it refuses
 */
export async function launchWords(image: string, words: readonly string[], signal: AbortSignal): Promise<string[]> {
  const launcher = ['bash', join(image, 'launch_cc_image.sh'), '--print', ...words]
  try {
    const {stdout} = await run(launcher, {collect: true, signal})
    // Quoted by the launcher for a shell; and only a shell takes that apart.
    const split = ['bash', '-c', 'eval "set -- $1"; printf "%s\\0" "$@"', '-', stdout.trim()]
    return (await run(split, {collect: true, signal})).stdout.split('\0').slice(0, -1)
  } catch (error) {
    if (!(error instanceof SubprocessError) || error.kind !== 'exited') throw error
    throw new CcError('E_VM', `the launcher refuses: ${error.stderr.trim().split('\n').join('; ')}`, {
      suggestions: ['install_cc_image.sh --check says what this host lacks'],
      reason: error,
    })
  }
}

export interface LaunchOptions {
  timeoutMs: number
  /** How long it is watched after that: what somebody typed may be answered late. */
  lingerMs: number
  signal: AbortSignal
  logFile: string
  onLine: (line: string) => void
  /** What is typed at the console, again and again from the start. */
  typed?: string
}

/**
 * Launch a machine and watch it until FLARE runs, or it ends, or its time is over.
 * @returns also what was typed, as far as QEMU took it
 */
export async function launch(
  words: readonly string[],
  {typed, ...options}: LaunchOptions,
): Promise<Launch & {typed: string[]}> {
  const sent: string[] = []
  // One at a time: what waits in a buffer was not typed.
  const keys = typed === undefined ? undefined : Readable.from(typing(typed, sent, options.signal), {highWaterMark: 1})
  try {
    const watched = await watchMachine(words, {...options, until: isReady, ...(keys && {keys})})
    return {...watched, said: '', typed: sent}
  } catch (error) {
    const {code, message} = toCcError(error)
    if (code !== 'E_VM') throw error
    return {exit: 'not-started', lines: [], said: message, ms: 0, typed: sent}
  } finally {
    keys?.destroy()
  }
}

async function* typing(text: string, sent: string[], signal: AbortSignal): AsyncGenerator<string> {
  while (!signal.aborted) {
    yield text
    sent.push(text)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
