import {CcError} from 'cc-core/errors'
import {formatCommand} from 'cc-core/exec'
import type {CheckTask} from 'cc-core/report'

import {makeBench} from '../attack/bench.js'
import {manipulationChecks} from '../attack/manipulation.js'
import {allManipulations} from '../attack/manipulations/index.js'
import {sharingOneBoot} from '../attack/manipulations/tampered.js'
import {bootChecks} from '../checks/boot.js'
import {bootFileChecks} from '../checks/boot-files.js'
import {diskChecks} from '../checks/disk.js'
import {hardenedChecks} from '../checks/hardened.js'
import {launchChecks} from '../checks/launch.js'
import {manifestChecks} from '../checks/manifest.js'
import {packageChecks} from '../checks/packages.js'
import {protectionChecks} from '../checks/protection.js'
import {secretChecks} from '../checks/secrets.js'
import type {ImageSuite} from './test-image.js'

/** Which checks are made. */
export interface Selection {
  /** One of each kind instead of all. */
  quick: boolean
  /** Ids; empty: no choice. */
  only: readonly string[]
  /** The command without a choice: the report says with it how to repeat a check. */
  command: readonly string[]
}

/** What makes a hardened image one: all that is in its files, and that whoever owns the host comes to nothing. */
export const hardenedSuite = (selection: Selection): ImageSuite => ({
  title: 'cc-image-test hardened',
  lazy: true,
  checks(subject, boots, settings) {
    const bench = makeBench(subject, settings, boots)
    const {quick, only} = selection
    const manipulations = allManipulations(bench, (one) =>
      quick ? one.quick === true : only.length === 0 || only.includes(one.id),
    )
    const files = [
      ...manifestChecks(subject),
      ...hardenedChecks(subject),
      ...packageChecks(subject),
      ...diskChecks(subject),
      ...bootFileChecks(subject),
      ...launchChecks(subject),
      ...protectionChecks(subject),
      ...secretChecks(subject, []),
    ].map((check): CheckTask => ({...check, group: 'Files of the image'}))
    const boot = bootChecks(subject, boots).map((check): CheckTask => ({...check, group: 'An untouched boot'}))
    const attacks = manipulationChecks(quick ? sharingOneBoot(manipulations) : manipulations, bench)
    const all = [...files, ...boot, ...attacks].map((check) => ({
      ...check,
      repeat: formatCommand([...selection.command, '--only', check.id]),
    }))
    return chosen(all, selection.only)
  },
})

/** @throws E_USAGE for an id that there is not */
function chosen(checks: CheckTask[], only: readonly string[]): CheckTask[] {
  if (only.length === 0) return checks
  const unknown = only.filter((id) => !checks.some((check) => check.id === id))
  if (unknown.length > 0) {
    throw new CcError('E_USAGE', `there is no check '${unknown.join("', '")}'`, {
      suggestions: ["run 'cc-image-test hardened --dry-run' to see all of them"],
    })
  }
  return checks.filter(({id}) => only.includes(id))
}
