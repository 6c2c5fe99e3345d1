import type {Manifest} from 'cc-core/manifest'
import type {CheckTask} from 'cc-core/report'
import {keptGroups, readUnwanted, unwantedPackage, type Unwanted} from 'cc-core/build'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgePackages, type Installed} from '../judges/packages.js'

/** What of a list of packages acts on the host's behalf. */
export function installedOf(packages: Manifest['packages'], unwanted: readonly Unwanted[]): Installed {
  const found = packages.flatMap(({name}) => {
    const entry = unwantedPackage(name, unwanted)
    return entry === undefined ? [] : [{...entry, name}]
  })
  return {count: packages.length, sought: [...new Set(unwanted.map(({group}) => group))], unwanted: found}
}

export function packageChecks({image, config}: Pick<ImageUnderTest, 'image' | 'config'>): CheckTask[] {
  return [
    {
      id: 'no-host-agents',
      title: "Nothing that acts on the host's behalf is installed",
      run: () => judgePackages(installedOf(image.manifest.packages, readUnwanted()), {kept: keptGroups(config)}),
    },
  ]
}
