import {failed, passed} from 'cc-core/report'

import {judging} from './evidence.js'

/** The SBOM in an image directory, and what is in the image when it is opened. */
export interface Software {
  /** purl of each component of the SBOM. */
  listed: readonly string[]
  /** The same of what is in the image. */
  found: readonly string[]
  /** Files that belong to none of them, and that nothing else is known to make: `program PATH`, `file PATH`. */
  unowned: readonly string[]
}

/** How many files may be unowned that cannot be run: settings that a user has put there, for example. */
const most = 100
const few = (list: readonly string[]) =>
  `${list.slice(0, 5).join(', ')}${list.length > 5 ? ` and ${list.length - 5} more` : ''}`

/** Nothing is in the image that its SBOM does not list, and nothing is listed that is not there. */
export const judgeSbom = judging<Software>(
  'listed',
  'found',
  'unowned',
)(({listed, found, unowned}) => {
  // Every image has a kernel and a libc.
  if (listed.length < 2 || found.length < 2)
    return failed(`${listed.length} components are listed, and ${found.length} are there`)
  const strange = unowned.filter((line) => !/^(program|file) \//.test(line))
  if (strange.length > 0) return failed(`what the list of files says is not understood: ${few(strange)}`)
  const named = (kind: string) =>
    unowned.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  const [programs, files] = [named('program'), named('file')]
  const hidden = found.filter((purl) => !listed.includes(purl))
  const gone = listed.filter((purl) => !found.includes(purl))
  const problems = [
    ...(hidden.length > 0 ? [`in the image and not in its SBOM: ${few(hidden)}`] : []),
    ...(gone.length > 0 ? [`in its SBOM and not in the image: ${few(gone)}`] : []),
    ...(programs.length > 0 ? [`programs of no package: ${few(programs)}`] : []),
    ...(files.length > most ? [`${files.length} files of no package: ${few(files)}`] : []),
  ]
  if (problems.length > 0) return failed(problems.join('; '))
  const rest = files.length === 0 ? 'every file belongs to one of them' : `files of no package: ${files.join(', ')}`
  return passed(`${listed.length} components; ${rest}`)
})
