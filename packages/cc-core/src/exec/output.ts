import {StringDecoder} from 'node:string_decoder'

/** Longer lines are cut into pieces: a program may write gigabytes without a line end. */
const maxLine = 64 * 1024

/** Cuts a byte stream into lines. Carriage returns end a line, too: progress bars use them. Bad UTF-8 becomes U+FFFD. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #emit: (line: string) => void
  #rest = ''

  constructor(emit: (line: string) => void) {
    this.#emit = emit
  }

  push(chunk: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split(/\r?\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#emit(line)
    while (this.#rest.length > maxLine) {
      this.#emit(this.#rest.slice(0, maxLine))
      this.#rest = this.#rest.slice(maxLine)
    }
  }

  end(): void {
    const last = (this.#rest + this.#decoder.end()).replace(/\r$/, '')
    if (last !== '') this.#emit(last)
    this.#rest = ''
  }
}

/** Keeps the end of a byte stream, or all of it. */
export class Tail {
  readonly #limit: number
  #chunks: Buffer[] = []
  #size = 0

  /** @param limit bytes to keep at least; Infinity keeps everything */
  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk))
    this.#size += chunk.length
    while (this.#chunks.length > 1 && this.#size - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#size -= this.#chunks.shift()?.length ?? 0
    }
  }

  /** The kept text, at most `limit` bytes, without the line end that closes it, as `$(…)` in a shell. */
  toString(): string {
    const all = Buffer.concat(this.#chunks)
    const kept = all.length > this.#limit ? all.subarray(all.length - this.#limit) : all
    return kept.toString('utf8').replace(/\n+$/, '')
  }
}
