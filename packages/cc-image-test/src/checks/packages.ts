import type {Manifest} from 'cc-core/manifest'
import {failed, passed, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'
import {keptGroups, readUnwanted, unwantedPackage, type Unwanted} from 'cc-core/stage'

import type {ImageUnderTest} from '../image/under-test.js'

/**
 * Whether a list of packages has anything that acts on the host's behalf.
 * @param packages of the image; an empty list is no evidence, and a failure
 * @param kept groups that a development image has by configuration
 */
export function judgePackages(
  packages: Manifest['packages'],
  unwanted: readonly Unwanted[],
  kept: readonly string[],
): Verdict {
  if (packages.length === 0) return failed('the manifest lists no packages')
  const found = packages.flatMap(({name}) => {
    const entry = unwantedPackage(name, unwanted)
    return entry === undefined ? [] : [{name, ...entry}]
  })
  const problems = found.filter(({group}) => !kept.includes(group)).map(({name, reason}) => `'${name}' ${reason}`)
  if (problems.length > 0) return verdictOf(problems, '')
  const names = found.map(({name}) => name)
  return passed(
    names.length === 0
      ? `none of ${packages.length} packages`
      : `kept by the configuration of a development image: ${names.join(', ')}`,
  )
}

export function packageChecks({image, config}: Pick<ImageUnderTest, 'image' | 'config'>): CheckTask[] {
  return [
    {
      id: 'no-host-agents',
      title: "Nothing that acts on the host's behalf is installed",
      run: () => judgePackages(image.manifest.packages, readUnwanted(), keptGroups(config)),
    },
  ]
}
