import {formatMs, plainText} from '../ui/index.js'
import type {Check} from './check.js'
import {summaryLine, type Report} from './report.js'

const words = {passed: 'pass', failed: 'FAIL', skipped: 'skip'} as const

/**
 * The checks as a table for people: how it went, what was looked at, how long it took, what was found.
 * @param width columns of the terminal: longer text goes on in its own column; Infinity keeps each check on one line
 */
export function reportTable({checks, ms}: Report, width = Infinity): string {
  const titleWidth = Math.max(...checks.map(({title}) => title.length), 0)
  const timeWidth = Math.max(...checks.map(({ms}) => formatMs(ms).length), 0)
  const indent = 4 + 2 + titleWidth + 2 + timeWidth + 2
  const lines = checks.flatMap((check) => {
    const head = `${words[check.status]}  ${check.title.padEnd(titleWidth)}  ${formatMs(check.ms).padStart(timeWidth)}  `
    return remarks(check)
      .flatMap((text) => wrap(text, Math.max(width - indent, 30)))
      .map((text, index) => ((index === 0 ? head : ' '.repeat(indent)) + text).trimEnd())
  })
  return [...lines, '', summaryLine(checks), `took ${formatMs(ms)}`].join('\n')
}

/** What was found; in lines of their own what to do, what was done, and how to do it again. */
function remarks({status, detail, fix, outcome, action, repeat}: Check): string[] {
  const found = (outcome === undefined ? detail : `${outcome}: ${detail}`).replaceAll('\n', ' ')
  return [
    found,
    ...(fix === undefined ? [] : [`fix: ${fix}`]),
    ...(action === undefined ? [] : [`done: ${action}`]),
    // Where nothing was done to the subject, just a failure is worth another look.
    ...(repeat === undefined || (action === undefined && status !== 'failed') ? [] : [`repeat: ${repeat}`]),
  ].map(plainText)
}

function wrap(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last === '') lines[lines.length - 1] = word
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
