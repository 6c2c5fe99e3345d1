import {broken, defended, judgingAttack} from './outcome.js'

export interface CanarySearch {
  /** Where the machine says that it wrote the secret. */
  written: readonly string[]
  /** To which logs it gave it. */
  logged: readonly string[]
  /** The files that were searched, by name. */
  searched: readonly string[]
  /** Which of the texts were found in which file: "FILE has TEXT". */
  found: readonly {file: string; text: string}[]
  console: readonly string[]
}

export interface CanaryExpectation {
  secret: string
  /** Where it has to have been written: what is on a disk. All else is in memory. */
  places: readonly string[]
  /** The name of the text that has to be found, and the file that it has to be in. */
  control: {text: string; file: string}
  /** Files that have to have been searched. */
  files: readonly string[]
  /**
   * Disks that the site gives to the host to read, an output without a key, and where each is mounted. Only what the
   * machine wrote to that place may be on it.
   */
  given: readonly {file: string; place: string}[]
}

/** Everything that is left was searched for a secret; and for a text that has to be found, so that the search is known to see. */
export const judgeCanary = judgingAttack<CanarySearch>(
  'written',
  'logged',
  'searched',
  'found',
  'console',
)(({written, logged, searched, found, console}, {secret, places, control, files, given}: CanaryExpectation) => {
  if (places.length === 0) return broken('no place on a disk is known where it could be written')
  const spared = places.filter((place) => !written.includes(place))
  if (spared.length > 0)
    return broken(`the machine did not write it to ${spared.join(', ')}, but to ${written.join(', ') || 'nothing'}`)
  const silent = ['journal', 'kernel'].filter((log) => !logged.includes(log))
  if (silent.length > 0) return broken(`the machine did not write it to the log of ${silent.join(', ')}`)
  const unread = files.filter((file) => !searched.includes(file))
  if (unread.length > 0) return broken(`${unread.join(', ')} was not searched`)
  if (console.length === 0) return broken('the console is empty')
  const open = given.filter(({place}) => written.includes(place)).map(({file}) => file)
  const leaks = found
    .filter(({file, text}) => text !== control.text && !open.includes(file))
    .map(({file, text}) => `${file} has ${text}`)
  if (console.some((line) => line.includes(secret))) leaks.push('the console shows it')
  if (leaks.length > 0) return broken(leaks.join('; '))
  if (!found.some(({file, text}) => text === control.text && file === control.file))
    return broken('the text that had to be found was not found: the search proves nothing')
  const shown = open.length === 0 ? '' : `. ${open.join(', ')} is for the host to read: the site has no key for it`
  return defended(
    'powerless',
    `written to ${written.join(', ')} and to the logs of ${logged.join(', ')}; not in ${searched.filter((file) => !open.includes(file)).join(', ')}, in five forms. A control text was found${shown}`,
  )
})
