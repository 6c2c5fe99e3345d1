import type {Manifest} from 'cc-core/manifest'
import {verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

export type Protected = Pick<Manifest['partitions'][number], 'name' | 'encryption' | 'integrity' | 'key' | 'verity'>

/** Partitions that hold what is measured: the system, and the content of the site. */
const verified = ['cc-root', 'cc-ro']
/** Partitions that hold what nobody may read. */
const secret = [...verified, 'cc-app']

/** A hardened image is encrypted and verified, and a client has no place from which the host could read. */
export const judgeProtected = judging<{partitions: readonly Protected[]}>('partitions')(
  ({partitions}, {role}: {role: 'client' | 'server' | null}) =>
    verdictOf(
      [
        ...secret.flatMap((name) => {
          const found = partitions.find((partition) => partition.name === name)
          if (found === undefined) return [`there is no ${name}`]
          const unverified = verified.includes(name) && (found.integrity !== 'verity' || found.verity === null)
          return [
            ...(unverified ? [`${name} is not verified by dm-verity`] : []),
            ...(found.encryption === 'luks2' ? [] : [`${name} is not encrypted: ${found.encryption}`]),
          ]
        }),
        ...(role === 'client' && partitions.some(({name}) => name === 'cc-out') ? ['a client has cc-out'] : []),
      ],
      partitions.map(({name, encryption, integrity}) => `${name}: ${encryption}, ${integrity}`).join('; '),
    ),
)

/** Whoever owns the host has the key of a development image. */
export const judgeKeySources = judging<Pick<Manifest, 'profile'> & {partitions: readonly Protected[]}>(
  'profile',
  'partitions',
)(({profile, partitions}) => {
  const sources = partitions.flatMap(({name, key}) => (key === null ? [] : [{name, key}]))
  const problems = sources
    .filter(({key}) => profile === 'production' && key === 'development')
    .map(({name}) => `a production image takes the key of ${name} from the key source development`)
  if (sources.length === 0) problems.push('no partition has a key source')
  return verdictOf(problems, `${profile}: ${sources.map(({name, key}) => `${name} ${key}`).join(', ')}`)
})
