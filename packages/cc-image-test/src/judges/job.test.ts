import type {Verdict} from 'cc-core/report'
import {describe, expect, it} from 'vitest'

import * as judges from './job.js'
import {cases} from './job.cases.js'

type Judge = (seen: object, expected?: unknown) => Verdict
const named = Object.entries(judges).filter(([name]) => name.startsWith('judge')) as unknown as [
  keyof typeof cases,
  Judge,
][]

it.each(named)('%s tells good evidence from bad, and from missing', (name, judge) => {
  const {good, bad, missing} = cases[name]
  for (const [seen, expected] of good as [Record<string, unknown>, unknown][]) {
    expect(judge(seen, expected)).toMatchObject({status: 'passed'})
    for (const part of Object.keys(seen))
      expect(judge({...seen, [part]: undefined}, expected).status, part).toBe('failed')
  }
  for (const [about, [seen, expected, words]] of Object.entries(bad) as [string, [object, unknown, RegExp]][]) {
    expect(judge(seen, expected).status, about).toBe('failed')
    expect(judge(seen, expected).detail, about).toMatch(words)
  }
  for (const [about, [seen, expected]] of Object.entries(missing) as [string, [object, unknown]][])
    expect(judge(seen, expected).status, about).toBe('failed')
})

describe('the words on the console', () => {
  it('are evidence only where they are whole, and not contradicted', () => {
    const lines = ['CC-JOB a 3=x y', 'CC-JOB b 9=cut', '[ 1.0] noise', 'CC-JOB c 1=1', 'CC-JOB c 1=2', 'CC-JOB d 0=']
    expect(judges.jobFactsOf(lines)).toEqual({a: 'x y', b: undefined, c: undefined, d: ''})
  })
})
