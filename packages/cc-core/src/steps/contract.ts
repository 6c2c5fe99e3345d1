import {readFile} from 'node:fs/promises'
import {basename} from 'node:path'

import {CcError} from '../errors/index.js'

/** One parameter of a step, as its header names it. */
export interface StepParameter {
  name: string
  /** DIR, FILE, PATH, NUMBER, SIZE, FLAG, or any other word for a text. */
  word: string
  required: boolean
  repeatable: boolean
  description: string
}

/** What the comment at the head of a step says; scripts/lib/step.sh reads the same lines. */
export interface StepContract {
  name: string
  purpose: string
  parameters: StepParameter[]
  runsIn: 'host' | 'namespace'
  network: string
  output: string
}

const parameterLine = /^ {2}(\[?)--([a-z0-9-]+) ([A-Z]+)\]?(\.\.\.)? *(.*)$/

/**
 * Parse the contract of a step.
 * @param script absolute path of the script
 * @throws E_BUG where the header is not complete: a step without a contract cannot be called
 */
export async function readContract(script: string): Promise<StepContract> {
  const lines = header(await readFile(script, 'utf8'))
  const field = (label: string) =>
    sentence(
      lines,
      lines.findIndex((line) => line.startsWith(`${label}: `)),
      label,
    )
  const runsIn = field('Runs in')
  if (runsIn !== 'host' && runsIn !== 'namespace') throw broken(script, `"Runs in: ${runsIn}"`)
  const contract: StepContract = {
    name: basename(script, '.sh'),
    purpose: lines.slice(0, lines.indexOf('')).join(' '),
    parameters: lines.flatMap((line) => {
      const match = parameterLine.exec(line)
      if (match === null) return []
      const [, optional, name = '', word = '', repeated, description = ''] = match
      return [{name, word, required: optional === '', repeatable: repeated !== undefined, description}]
    }),
    runsIn,
    network: field('Network'),
    output: field('Output'),
  }
  for (const [label, value] of Object.entries(contract)) if (value === '') throw broken(script, `no ${label}`)
  return contract
}

function header(text: string): string[] {
  const lines = text.split('\n').slice(1)
  const end = lines.findIndex((line) => !line.startsWith('#'))
  return lines.slice(0, end).map((line) => line.replace(/^# ?/, ''))
}

/** The text after a label, which may go on in the lines below. */
function sentence(lines: string[], start: number, label: string): string {
  if (start < 0) return ''
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => line === '' || /^\S[A-Za-z ]*: /.test(line))
  return [lines[start]?.slice(label.length + 2), ...rest.slice(0, end < 0 ? rest.length : end)].join(' ')
}

function broken(script: string, what: string): CcError {
  return new CcError('E_BUG', `the header of ${script} is not a step contract: ${what}`)
}
