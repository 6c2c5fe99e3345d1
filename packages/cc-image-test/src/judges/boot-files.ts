import {kernelCommandLine} from 'cc-core/cmdline'
import {failed, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

/** The file cmdline, beside the manifest. */
export const judgeCmdlineFile = judging<{text: string}>('text')(({text}, {cmdline}: {cmdline: string}) =>
  verdictOf(text === `${cmdline}\n` ? [] : [`cmdline is '${text.trimEnd()}', the manifest says '${cmdline}'`], cmdline),
)

export const judgeCmdlineSafe = judging<{cmdline: string}>('cmdline')(({cmdline}) =>
  verdictOf(cmdlineProblems(cmdline), 'all safeguards, each once; nothing that opens a shell'),
)

export const judgeCmdlineConfigured = judging<{cmdline: string}>('cmdline')(
  ({cmdline}, {configured}: {configured: string}) =>
    cmdline === configured
      ? passed('as configured')
      : failed(`it is '${cmdline}', the configuration gives '${configured}'`),
)

export const judgeBootConf = judging<{text: string}>('text')(({text}, {expected}: {expected: string}) =>
  expected.trim() === ''
    ? failed('there is no boot.conf to compare it with')
    : verdictOf(lineDifferences(text, expected), `${expected.split('\n').length - 1} lines`),
)

/** Parameters that give a shell, another init, another root or another boot script, or that undo a safeguard. */
const dangerous =
  /^(init|rdinit|boot|root|break|rd\.break|rd\.shell|systemd\.debug[-_]shell|systemd\.unit|systemd\.run|systemd\.mask|systemd\.wants|systemd\.setenv|SYSTEMD_UNIT|sysrq_always_enabled|netconsole|single|emergency|rescue|debug|-b|[sS1])(=|$)/

/** What is wrong with a command line: a safeguard that is missing, or undone by a later word, or a dangerous word. */
export function cmdlineProblems(cmdline: string): string[] {
  const words = cmdline.split(/\s+/)
  const required = kernelCommandLine({console: ''})
    .split(' ')
    .filter((word) => word !== 'console=')
  const problems = words.filter((word) => dangerous.test(word)).map((word) => `'${word}' is dangerous`)
  for (const word of required) {
    const [key = ''] = word.split('=')
    const values = words.filter((other) => other === key || other.startsWith(`${key}=`))
    if (!values.includes(word)) problems.push(`'${word}' is missing`)
    else if (values.length > 1) problems.push(`'${key}' is used ${values.length} times: ${values.join(' ')}`)
  }
  return problems
}

/** The lines that only one of two texts has. */
export function lineDifferences(found: string, expected: string): string[] {
  const [has, wants] = [found.split('\n'), expected.split('\n')]
  const differences = [
    ...has.filter((line) => !wants.includes(line)).map((line) => `'${line}' is not expected`),
    ...wants.filter((line) => !has.includes(line)).map((line) => `'${line}' is missing`),
  ]
  return differences.length === 0 && found !== expected ? ['its lines are in another order, or repeated'] : differences
}
