import type {z} from 'zod'

import {referenceRows} from './reference.js'

type Issue = z.core.$ZodIssue

/** How numbers are written in the file, by their path: YAML reads 550.90 as 550.9. */
export type Written = Map<string, string>

/** One line for each problem: where it is, what is expected, and the wrong value. */
export function problemsOf(issues: readonly Issue[], written: Written = new Map()): string[] {
  return issues.flatMap((issue) => describe(issue, written))
}

function describe(issue: Issue, written: Written): string[] {
  const path = issue.path.map(String)
  const where = path.length === 0 ? 'the configuration' : path.join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `${[...path, key].join('.')}: unknown key${knownKeys(path)}`)
    case 'invalid_key':
      return [`${where}: ${issue.issues[0]?.message ?? 'wrong name'}, got '${path.at(-1) ?? ''}'`]
    case 'invalid_type':
      if (issue.input === undefined) return [`${where}: is required`]
      return [
        `${where}: ${typeText(issue)}, got ${written.get(where) ?? show(issue.input)}${typeHint(issue, written.get(where))}`,
      ]
    case 'invalid_value':
      return [`${where}: expected ${issue.values.map(String).join(' | ')}, got ${show(issue.input)}`]
    default:
      return [`${where}: ${issue.message}, got ${show(issue.input)}`]
  }
}

/** Our own words when the schema has them, zod's type otherwise. */
function typeText(issue: Extract<Issue, {code: 'invalid_type'}>): string {
  return issue.message.startsWith('expected')
    ? issue.message
    : `expected ${issue.expected === 'record' ? 'object' : issue.expected}`
}

/** YAML takes a text like 12.8, 0815 or true for something else, and yes for a text. */
function typeHint({expected, input}: Extract<Issue, {code: 'invalid_type'}>, written = String(input)): string {
  if (expected === 'string' && ['number', 'boolean'].includes(typeof input)) {
    return `; in quotes it is a text: "${written}"`
  }
  const word = typeof input === 'string' && /^(yes|no|on|off|true|false)$/i.test(input)
  return expected === 'boolean' && word ? '; write true or false, without quotes' : ''
}

/** The keys that are possible beside an unknown one. */
function knownKeys(parent: readonly string[]): string {
  const prefix = parent.map((key, index) =>
    index === 2 && parent[1] === 'partitions' ? '<name>' : /^\d+$/.test(key) ? '[]' : key,
  )
  const depth = prefix.length
  const keys = referenceRows()
    .map((row) => row.path)
    .filter((path) => path.length > depth && prefix.every((key, index) => path[index] === key))
    .map((path) => path[depth])
  return keys.length === 0 ? '' : ` (known: ${[...new Set(keys)].join(', ')})`
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
