import {skipped, type CheckTask, type Verdict} from 'cc-core/report'
import type {BootResult} from 'cc-core/vm'

import type {Boots} from '../image/boots.js'
import {judgeNoShell, judgePowerOff, judgeRefusal} from '../judges/boot-report.js'

/** What a boot with another key shows. */
export function wrongKeyChecks(boots: Boots): CheckTask[] {
  const check = (id: string, title: string, judge: (boot: BootResult) => Verdict): CheckTask => ({
    id,
    title,
    run: async (onLine) =>
      boots.impossible === null ? judge(await boots.withWrongKey(onLine)) : skipped(boots.impossible),
  })
  return [
    check('wrong-key-refused', 'A wrong key is refused in one plain line', (boot) => judgeRefusal({boot})),
    check('wrong-key-off', 'A wrong key switches the machine off', (boot) => judgePowerOff({boot})),
    check('wrong-key-no-shell', 'A wrong key opens no shell', (boot) => judgeNoShell(boot)),
  ]
}
