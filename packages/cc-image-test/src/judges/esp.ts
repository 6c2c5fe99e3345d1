import {espName} from 'cc-core/layout'
import type {Manifest} from 'cc-core/manifest'
import {failed, passed, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

/** An image without an EFI system partition. */
export const judgeNoEsp = judging<{partitions: readonly {name: string}[]}>('partitions')((
  {partitions},
  {wanted}: {wanted: boolean},
) => {
  if (partitions.length === 0) return failed('the manifest has no partition')
  if (partitions.some(({name}) => name === espName)) return failed('there is one')
  return wanted ? failed('the image has none, and layout.esp asks for one') : passed('there is none, as configured')
})

export interface EspFiles {
  /** sha256 by name: of the files at the top, and of those in headers/. */
  files: Readonly<Record<string, string>>
  headers: Readonly<Record<string, string>>
}

/** The files of the ESP are those of the image directory, and its headers those of the initrd. */
export const judgeEspFiles = judging<EspFiles>(
  'files',
  'headers',
)(({files, headers}, expected: EspFiles) => {
  const [names, headerNames] = [Object.keys(expected.files), Object.keys(expected.headers)]
  const problems = [
    ...(names.length === 0 ? ['the manifest describes no file'] : []),
    ...names.flatMap((name) => differs(files[name], expected.files[name], `${name} is missing`, `${name} is another`)),
    ...headerNames.flatMap((name) =>
      differs(
        headers[name],
        expected.headers[name],
        `the LUKS header ${name} is missing`,
        `the LUKS header ${name} is not the one of the initrd`,
      ),
    ),
    ...Object.keys(files)
      .filter((name) => ![...names, 'manifest.json'].includes(name))
      .map(unknown),
    ...Object.keys(headers)
      .filter((name) => !headerNames.includes(name))
      .map(unknown),
  ]
  return verdictOf(problems, [...names, ...headerNames].join(', '))
})

const unknown = (name: string) => `${name} is not known`

function differs(found: string | undefined, wanted: string | undefined, missing: string, other: string): string[] {
  if (found === undefined || wanted === undefined) return [missing]
  return found === wanted ? [] : [other]
}

export const judgeEspManifest = judging<{copy: Manifest}>('copy')(({copy}, {manifest}: {manifest: Manifest}) =>
  verdictOf(manifestDifferences(copy, manifest), 'the manifest but for sizes of the disk and the hash of the ESP'),
)

/** What of the copy is not as in the manifest. A resize changes sizes in the image directory only. */
export function manifestDifferences(copy: Manifest, manifest: Manifest): string[] {
  const [has, wants] = [comparable(copy), comparable(manifest)]
  return Object.keys({...has, ...wants})
    .filter((key) => JSON.stringify(has[key]) !== JSON.stringify(wants[key]))
    .map((key) => `'${key}' differs`)
}

function comparable(manifest: Manifest): Record<string, unknown> {
  const partitions = manifest.partitions.map((partition) => ({
    ...partition,
    ...(partition.name === espName ? {content: null} : {}),
    ...(partition.grow ? {size: 0} : {}),
  }))
  return {...manifest, disk: null, partitions}
}
