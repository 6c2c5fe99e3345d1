import {describe, expect, it} from 'vitest'

import {comparison, fastest, phasesOf, within} from './report.js'

const took = (seconds: number) => ({seconds, peakBytes: 0, stdout: '', stderr: ''})

describe('the report of the benchmark', () => {
  it('reads the times of the steps, and nothing else', () => {
    const output = [
      '== base image',
      '[1/3] Install packages …',
      '[1/3] Install packages: done in 7.8 s',
      '[2/3] cc-root: Encrypt: in place: done in 2 min 05 s',
      '[3/3] Remove: cached',
      '== done in 130.0 s',
    ]
    expect(phasesOf(output.join('\n'))).toEqual([
      {title: 'Install packages', seconds: 7.8},
      {title: 'cc-root: Encrypt: in place', seconds: 125},
    ])
  })

  it('compares the fastest runs', () => {
    expect(fastest([took(3), took(2), took(4)]).seconds).toBe(2)
    expect(() => fastest([])).toThrow('nothing was measured')
    expect(within(20, 20)).toBe('within the bound of 20 s')
    expect(within(20.1, 20)).toBe('MISSES the bound of 20 s')
    expect(comparison({name: 'open', ours: took(3), reference: took(2)})).toBe('1.50 times cp of the qcow2 (2.0 s)')
  })
})
