import type {Verdict} from 'cc-core/report'

import {broken} from './outcome.js'

/** What a probe inside the machine said: by name. */
export type Facts = Readonly<Record<string, string | undefined>>

/**
 * What the probe said on the console. Each line has the length of its text: a kernel that speaks in the middle of a
 * line, or a line that is cut, is no evidence. What is said twice, and differently, is none either.
 */
export function factsOf(lines: readonly string[]): Facts {
  const facts = new Map<string, string | undefined>()
  for (const line of lines) {
    const match = /^CC-PROBE ([\w.-]+) (\d+)=(.*)$/.exec(line)
    const [, name, length, text] = match ?? []
    if (name === undefined || text === undefined) continue
    const whole = Number(length) === text.length ? text.trim() : undefined
    facts.set(name, facts.has(name) && facts.get(name) !== whole ? undefined : whole)
  }
  return Object.fromEntries(facts)
}

export const wordsOf = (text: string | undefined): string[] => (text ?? '').split(' ').filter(Boolean)

/**
 * A judge of facts that all have to be there.
 * @param names the facts that it looks at
 */
export const ofFacts =
  <Name extends string>(...names: readonly Name[]) =>
  <Expected = void>(judge: (facts: Record<Name, string>, expected: Expected) => Verdict) =>
  (facts: Facts, expected: Expected): Verdict => {
    const missing = names.filter((name) => facts[name] === undefined)
    if (missing.length > 0) return broken(`the probe did not say: ${missing.join(', ')}`)
    return judge(facts as Record<Name, string>, expected)
  }
