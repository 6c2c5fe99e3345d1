import type {Report} from 'cc-core/report'
import {runChecks} from 'cc-core/report'
import type {Reporter} from 'cc-core/ui'

import {hostChecks} from '../checks/host.js'

/**
 * What this host lacks for building and booting images.
 * @param folder where images are to be built; the nearest that exists above it counts
 * @throws E_INTERRUPTED
 */
export async function testHost(
  folder: string,
  {reporter, signal}: {reporter: Reporter; signal: AbortSignal},
): Promise<Report> {
  const started = new Date()
  const title = 'cc-image-test host'
  const checks = await runChecks(hostChecks(folder, signal), {title, reporter, signal})
  const ms = Date.now() - started.getTime()
  return {title, subject: folder, started: started.toISOString(), ms, checks, facts: []}
}
