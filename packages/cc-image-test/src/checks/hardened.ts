import type {CheckTask} from 'cc-core/report'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeKeySources, judgeProtected} from '../judges/hardened.js'

/** What the partitions of a hardened image are, whatever its configuration says. */
export function hardenedChecks({image, config}: ImageUnderTest): CheckTask[] {
  const {profile, partitions} = image.manifest
  return [
    {
      id: 'protected',
      title: 'System, site and workspace are encrypted, and what is measured is verified',
      run: () => judgeProtected({partitions}, {role: config.hardening.role}),
    },
    {
      id: 'key-sources',
      title: 'A production image takes no key from the host',
      run: () => judgeKeySources({profile, partitions}),
    },
  ]
}
