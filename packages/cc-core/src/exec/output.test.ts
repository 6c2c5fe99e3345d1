import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {LineSplitter, Tail} from './output.js'

function split(chunks: Uint8Array[]): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return lines
}

describe('LineSplitter', () => {
  it('gives the same lines however the stream is cut, also inside a character and inside CR LF', () => {
    const text = Buffer.from('erste Zeile\r\nzweite: äöü €\nprogress 1%\rprogress 2%\r\nno line end')
    const expected = ['erste Zeile', 'zweite: äöü €', 'progress 1%', 'progress 2%', 'no line end']
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), {maxLength: 10}), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
        expect(split(at.slice(1).map((end, index) => text.subarray(at[index], end)))).toEqual(expected)
      }),
    )
  })

  it('cuts an endless line, so that memory stays bounded', () => {
    const lines = split(Array.from({length: 64}, () => Buffer.alloc(16 * 1024, 'x')))
    expect(lines.join('')).toHaveLength(1024 * 1024)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(64 * 1024)
  })
})

describe('Tail', () => {
  it('keeps exactly the last bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{0,40}$/)), fc.integer({min: 1, max: 60}), (parts, limit) => {
        const tail = new Tail(limit)
        for (const part of parts) tail.push(Buffer.from(part))
        expect(tail.toString()).toBe(parts.join('').slice(-limit))
      }),
    )
  })
})
