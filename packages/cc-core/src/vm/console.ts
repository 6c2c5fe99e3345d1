import {createWriteStream, mkdirSync, type WriteStream} from 'node:fs'
import {dirname} from 'node:path'

import {plainText} from '../ui/index.js'

/** A guest may write for as long as it runs; more than this is not kept. */
const keptCharacters = 4 * 1024 * 1024
const loggedCharacters = 32 * 1024 * 1024

/**
 * What a guest wrote to its console, as lines without control characters: a guest may be hostile, and people read this
 * on a terminal. The end is kept in memory, the beginning in the log.
 */
export class ConsoleRecord {
  readonly lines: string[] = []
  readonly #log: WriteStream | undefined
  #kept = 0
  #logged = 0

  /** @param logFile is made anew; readable by its owner only */
  constructor(logFile: string | undefined) {
    if (logFile === undefined) return
    mkdirSync(dirname(logFile), {recursive: true})
    this.#log = createWriteStream(logFile, {mode: 0o600})
    this.#log.on('error', () => undefined) // A full disk must not end a boot: the lines are in memory, too.
  }

  /** @returns the line as it was kept */
  add(raw: string): string {
    const line = plainText(raw)
    this.lines.push(line)
    this.#kept += line.length
    while (this.#kept > keptCharacters) this.#kept -= this.lines.shift()?.length ?? 0
    this.note(line)
    return line
  }

  /** A line of ours, for the log only. */
  note(line: string): void {
    if (this.#logged > loggedCharacters) return
    this.#logged += line.length
    this.#log?.write(`${this.#logged > loggedCharacters ? '# the rest is not logged' : line}\n`)
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#log === undefined || this.#log.destroyed) resolve()
      else
        this.#log.end(() => {
          resolve()
        })
    })
  }
}
