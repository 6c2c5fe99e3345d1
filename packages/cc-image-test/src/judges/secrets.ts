import {failed, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0')

export interface Keys {
  /** Of the folder. */
  mode: number
  entries: readonly {name: string; mode: number; isFile: boolean}[]
}

export const judgeKeysPrivate = judging<Keys>(
  'mode',
  'entries',
)(({mode, entries}, {folder}: {folder: string}) => {
  const problems = [
    ...((mode & 0o077) === 0 ? [] : [`keys/ has mode ${octal(mode)}`]),
    ...entries.flatMap(({name, mode: own, isFile}) => {
      if (!isFile) return [`keys/${name} is not a file`]
      return (own & 0o177) === 0 ? [] : [`keys/${name} has mode ${octal(own)}`]
    }),
  ]
  if (entries.length === 0) problems.push('keys/ is empty')
  return problems.length === 0
    ? passed(`keys/ ${octal(mode)}: ${entries.map(({name}) => name).join(', ')}`)
    : failed(problems.join('; '), `chmod 700 '${folder}' && chmod 600 '${folder}'/*`)
})

export interface KeySearch {
  /** The keys that were looked for, and the files that were read. */
  keys: readonly string[]
  files: readonly string[]
  found: readonly {file: string; text: string}[]
}

export const judgeKeysOnlyThere = judging<KeySearch>(
  'keys',
  'files',
  'found',
)(({keys, files, found}, {disk, others}: {disk: string; others: readonly string[]}) => {
  if (keys.length === 0) return failed('there was no key to look for')
  const unread = [disk, 'initrd.img, unpacked', ...others].filter((name) => !files.includes(name))
  if (unread.length > 0) return failed(`not searched: ${unread.join('; ')}`)
  return verdictOf(
    found.map(({file, text}) => `${file} holds ${text}`),
    `searched as bytes, hexadecimal and base64: ${files.join(', ')}`,
  )
})

export const judgeFiles = judging<{names: readonly string[]}>('names')(
  ({names}, {known}: {known: readonly string[]}) =>
    names.length === 0
      ? failed('the image directory is empty')
      : verdictOf(
          names.filter((name) => !known.includes(name)).map((name) => `${name} is not described by the manifest`),
          `${known.length} entries`,
        ),
)
