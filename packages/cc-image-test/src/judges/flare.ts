import {failed, passed, verdictOf} from 'cc-core/report'
import {z} from 'zod'

import {judging} from './evidence.js'

/** What scripts/flare/self-test.sh lets the guest say. Owners and modes are those of stat(1), "user:group mode". */
export const selfTest = z.object({
  version: z.string(),
  status: z.int(),
  models: z.int(),
  rounds: z.int(),
  workspace: z.string(),
  venv: z.string(),
  /** Of nvflare.service, as systemctl is-enabled says it. */
  service: z.string(),
})
export type SelfTest = z.output<typeof selfTest>

/** The list of what pip installed, as scripts/lib/pip-lock.py writes it. */
export const pythonLock = z.array(z.object({name: z.string(), version: z.string(), sha256: z.string().nullable()}))
type PythonLock = z.output<typeof pythonLock>

export const judgeLock = judging<{packages: PythonLock}>('packages')(({packages}) => {
  if (packages.length === 0) return failed('the list is empty')
  const bare = packages.filter(({sha256}) => !/^[0-9a-f]{64}$/.test(sha256 ?? '')).map(({name}) => name)
  return verdictOf(bare.length === 0 ? [] : [`without a hash: ${bare.join(', ')}`], `${packages.length} packages`)
})

export const judgeFlareVersion = judging<Pick<SelfTest, 'version'> & {packages: PythonLock}>(
  'version',
  'packages',
)(({version, packages}) => {
  const listed = packages.find(({name}) => name === 'nvflare')?.version
  return version === listed ? passed(version) : failed(`it says '${version}', the list has ${listed ?? 'none'}`)
})

export const judgeJob = judging<Pick<SelfTest, 'status' | 'models' | 'rounds'>>(
  'status',
  'models',
  'rounds',
)(({status, models, rounds}) =>
  status === 0 && models > 0 && rounds > 0
    ? passed(`${rounds} rounds, a model on the server`)
    : failed(`exit status ${status}, ${rounds} rounds, ${models} models`),
)

/** An owner with a mode, or a state. */
export const judgeState = judging<{found: string}>('found')(({found}, {wanted}: {wanted: string}) =>
  found === wanted ? passed(found) : failed(`it is '${found}', not '${wanted}'`),
)
