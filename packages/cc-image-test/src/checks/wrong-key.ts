import {failed, passed, skipped, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'
import {formatMs} from 'cc-core/ui'
import type {BootResult} from 'cc-core/vm'

import type {Boots} from '../image/boots.js'
import {describeExit, shellLines} from '../judges/console-text.js'

const refusal = 'cc: FAILED: cc-root: the key does not open it; powering off'

/** What a boot with another key shows. */
export function wrongKeyChecks(boots: Boots): CheckTask[] {
  const check = (id: string, title: string, judge: (boot: BootResult) => Verdict): CheckTask => ({
    id,
    title,
    run: async (onLine) =>
      boots.impossible === null ? judge(await boots.withWrongKey(onLine)) : skipped(boots.impossible),
  })
  return [
    check('wrong-key-refused', 'A wrong key is refused in one plain line', (boot) => {
      const lines = boot.lines.filter((line) => line.includes('cc: FAILED'))
      if (lines.length === 1 && lines[0] === refusal) return passed(refusal)
      return failed(
        lines.length === 0 ? describeExit(boot) : `the console says ${lines.map((line) => `'${line}'`).join(', ')}`,
      )
    }),
    check('wrong-key-off', 'A wrong key switches the machine off', (boot) =>
      boot.exit === 'powered-off' ? passed(`off after ${formatMs(boot.ms)}`) : failed(describeExit(boot)),
    ),
    check('wrong-key-no-shell', 'A wrong key opens no shell', ({lines}) =>
      verdictOf(shellLines(lines), `${lines.length} lines of console`),
    ),
  ]
}
