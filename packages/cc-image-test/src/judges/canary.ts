import {broken, defended, judgingAttack} from './outcome.js'

export interface CanarySearch {
  /** Where the machine says that it wrote the secret. */
  written: readonly string[]
  /** The files that were searched, by name. */
  searched: readonly string[]
  /** Which of the texts were found in which file: "FILE has TEXT". */
  found: readonly {file: string; text: string}[]
  console: readonly string[]
}

export interface CanaryExpectation {
  secret: string
  /** The name of the text that has to be found, and the file that it has to be in. */
  control: {text: string; file: string}
  /** Files that have to have been searched. */
  files: readonly string[]
}

/** Everything that is left was searched for a secret; and for a text that has to be found, so that the search is known to see. */
export const judgeCanary = judgingAttack<CanarySearch>(
  'written',
  'searched',
  'found',
  'console',
)(({written, searched, found, console}, {secret, control, files}: CanaryExpectation) => {
  if (written.length < 3) return broken(`the machine wrote it only to ${written.join(', ') || 'nowhere'}`)
  const unread = files.filter((file) => !searched.includes(file))
  if (unread.length > 0) return broken(`${unread.join(', ')} was not searched`)
  if (console.length === 0) return broken('the console is empty')
  const leaks = found.filter(({text}) => text !== control.text).map(({file, text}) => `${file} has ${text}`)
  if (console.some((line) => line.includes(secret))) leaks.push('the console shows it')
  if (leaks.length > 0) return broken(leaks.join('; '))
  if (!found.some(({file, text}) => text === control.text && file === control.file))
    return broken('the text that had to be found was not found: the search proves nothing')
  return defended(
    'powerless',
    `written to ${written.join(', ')}; not in ${searched.join(', ')}, in five forms. A control text was found`,
  )
})
