import type {z} from 'zod'

import {referenceRows} from './reference.js'

type Issue = z.core.$ZodIssue

/** One line for each problem: where it is, what is expected, and the wrong value. */
export function problemsOf(issues: readonly Issue[]): string[] {
  return issues.flatMap(describe)
}

function describe(issue: Issue): string[] {
  const path = issue.path.map(String)
  const where = path.length === 0 ? 'the configuration' : path.join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `${[...path, key].join('.')}: unknown key${knownKeys(path)}`)
    case 'invalid_key':
      return [`${where}: ${issue.issues[0]?.message ?? 'wrong name'}, got '${path.at(-1) ?? ''}'`]
    case 'invalid_type':
      if (issue.input === undefined) return [`${where}: is required`]
      return [`${where}: ${typeText(issue)}, got ${show(issue.input)}${quotesHint(issue)}`]
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

/** YAML takes a text like 12.8, 0815 or yes for something else. */
const quotesHint = ({expected, input}: Extract<Issue, {code: 'invalid_type'}>): string =>
  expected === 'string' && ['number', 'boolean'].includes(typeof input)
    ? `; in quotes it is a text: "${String(input)}"`
    : ''

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
