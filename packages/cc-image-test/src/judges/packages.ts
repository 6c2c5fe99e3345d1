import {failed, passed} from 'cc-core/report'

import {judging} from './evidence.js'

export interface Installed {
  /** How many packages the manifest lists; an empty list is no evidence. */
  count: number
  /** Groups that were looked for. */
  sought: readonly string[]
  /** Those that act on the host's behalf. */
  unwanted: readonly {name: string; group: string; reason: string}[]
}

/** @param kept groups that a development image has by configuration */
export const judgePackages = judging<Installed>(
  'count',
  'sought',
  'unwanted',
)(({count, sought, unwanted}, {kept}: {kept: readonly string[]}) => {
  if (count === 0) return failed('the manifest lists no packages')
  if (sought.length === 0) return failed('there was no list of what is unwanted')
  const problems = unwanted.filter(({group}) => !kept.includes(group)).map(({name, reason}) => `'${name}' ${reason}`)
  if (problems.length > 0) return failed(problems.join('; '))
  const names = unwanted.map(({name}) => name)
  return passed(
    names.length === 0
      ? `none of ${count} packages`
      : `kept by the configuration of a development image: ${names.join(', ')}`,
  )
})
