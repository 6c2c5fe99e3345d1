import {WriteStream} from 'node:tty'
import {PassThrough} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'

import {describe, expect, it} from 'vitest'

import {
  createReporter,
  formatMs,
  LiveReporter,
  plainText,
  PlainReporter,
  RecordingReporter,
  reportStep,
  SilentReporter,
  type Reporter,
} from './index.js'

/** A stage in which one step runs, one is cached and one fails. */
async function play(reporter: Reporter): Promise<void> {
  const steps = ['a', 'b', 'c', 'd'].map((id) => ({id, title: `Step ${id.toUpperCase()}`}))
  reporter.report({type: 'stage-start', stage: 'base', title: 'Base image', steps})
  await sleep(20)
  await reportStep(reporter, 'a', async (onLine) => {
    await sleep(600)
    onLine('line of a\u001b[2J')
    await sleep(150)
  })
  reporter.report({type: 'step-cached', step: 'b'})
  await sleep(20)
  await reportStep(reporter, 'c', () => Promise.reject(new Error('broken'))).catch(() => undefined)
  reporter.report({type: 'warning', text: 'disk is slow'})
  await reporter.close()
}

function fakeTerminal(): {stream: NodeJS.WriteStream; text: () => string} {
  const chunks: string[] = []
  const stream = Object.assign(new PassThrough(), {isTTY: true, columns: 80, rows: 24})
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  return {stream: stream as unknown as WriteStream, text: () => chunks.join('')}
}

describe('PlainReporter', () => {
  it('writes a line for each event, and the output only with verbose', async () => {
    for (const verbose of [false, true]) {
      let text = ''
      await play(new PlainReporter((part) => (text += part), {verbose}))
      expect(text).toMatch(/^== Base image\n\[1\/4\] Step A …\n/)
      expect(text).toMatch(/\[1\/4\] Step A: done in 0\.\d s\n\[2\/4\] Step B: cached\n/)
      expect(text).toMatch(/\[3\/4\] Step C: FAILED after 0\.\d s\nwarning: disk is slow\n$/)
      expect(text.includes('    line of a\n')).toBe(verbose)
    }
  })
})

describe('LiveReporter', () => {
  it('shows each step with state, elapsed time and last line, and ends also after a failure', async () => {
    const {stream, text} = fakeTerminal()
    await play(new LiveReporter(stream))
    const all = plainText(text().replaceAll('\n', '|'))
    expect(all).toMatch(/^Base image\|/)
    expect(all).toContain('line of a')
    expect(all).toMatch(/Step A {2}0\.5 s/) // while it ran
    expect(all).toMatch(/Step A {2}0\.[78] s/)
    expect(all).toContain('Step B (cached)')
    expect(all.slice(all.lastIndexOf('Step A'))).toMatch(/✖ Step C {2}0\.0 s.*Step D.*warning: disk is slow\|$/)
    expect(text()).not.toContain('\u001b[2J')
  })

  it('ends when it is closed in the middle of a step', async () => {
    const {stream} = fakeTerminal()
    const reporter = new LiveReporter(stream)
    reporter.report({type: 'stage-start', stage: 's', title: 'S', steps: [{id: 'a', title: 'A'}]})
    reporter.report({type: 'step-start', step: 'a'})
    await sleep(20)
    await reporter.close()
  })
})

describe('RecordingReporter', () => {
  it('remembers the steps by what happened to them', async () => {
    const reporter = new RecordingReporter()
    await play(reporter)
    expect(reporter.steps('step-done')).toEqual(['a'])
    expect(reporter.steps('step-cached')).toEqual(['b'])
    expect(reporter.steps('step-failed')).toEqual(['c'])
    expect(reporter.closed).toBe(true)
  })
})

describe('createReporter', () => {
  it.each([
    [{json: true}, true, SilentReporter],
    [{}, true, LiveReporter],
    [{verbose: true}, true, PlainReporter],
    [{}, false, PlainReporter],
  ])('for %o on a terminal (%s)', async (flags, isTTY, kind) => {
    const reporter = createReporter(flags, {isTTY, write: () => true} as unknown as WriteStream)
    expect(reporter).toBeInstanceOf(kind)
    await reporter.close()
  })
})

describe('text', () => {
  it('formats times', () => {
    expect([0, 449, 12_340, 59_949, 59_950, 125_400].map(formatMs)).toEqual([
      '0.0 s',
      '0.4 s',
      '12.3 s',
      '59.9 s',
      '1 min 00 s',
      '2 min 05 s',
    ])
  })

  it('takes away what could control a terminal', () => {
    expect(plainText('\u001b[31mred\u001b[0m \u001b]0;title\u0007a\tb\u0008\u009bc')).toBe('red a bc')
  })
})
