import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {cc, folder} from '../lib/lab.js'
import {giveToUser} from '../lib/user.js'
import {soundImage} from './sound.js'
import {allChecks, fileChecks, groups, type Group, type Mutant} from './table.js'
import {weaken} from './weaken.js'

const hour = 3_600_000

interface Check {
  id: string
  status: string
  detail: string
}

/** What became of one mutant. */
interface Row {
  mutant: Mutant
  group: string
  /** Findings that the prover has not made; empty for one that is killed. */
  missed: string[]
}

let sound: string
const rows: Row[] = []
const started = Date.now()

beforeAll(async () => {
  sound = await soundImage()
}, hour)

/** What users run. */
async function prove(image: string, name: string, ids: readonly string[]): Promise<Check[]> {
  const words = ['hardened', '--image', image, '--work-dir', join(folder(`prover-${name}`), 'work'), '--json']
  // The images are tried beside each other: one machine of each at a time is enough for the processors.
  const options = ['--jobs', '1']
  const {stdout, stderr} = await cc('cc-image-test', [...words, ...options, ...ids.flatMap((id) => ['--only', id])], {
    timeoutMs: hour,
  })
  const {checks} = JSON.parse(stdout) as {checks?: Check[]}
  if (checks === undefined) throw new Error(`${stdout}${stderr}`)
  return checks
}

const problemsOf = ({detail}: Check): string[] => detail.split('; ')
const failuresOf = (checks: readonly Check[]) => checks.filter(({status}) => status === 'failed')

/** What the prover says that no weakness of the group explains. */
function unexplained({mutants, needed = []}: Group, checks: readonly Check[]): string[] {
  const findings = [...mutants, ...needed].flatMap((mutant) => mutant.findings)
  return failuresOf(checks).flatMap((check) =>
    problemsOf(check)
      .filter((problem) => !findings.some(([id, pattern]) => id === check.id && pattern.test(problem)))
      .map((problem) => `${check.id}: ${problem}`),
  )
}

/** Findings of a mutant that the prover has not made. */
const missedOf = ({findings}: Mutant, checks: readonly Check[]): string[] =>
  findings
    .filter(
      ([id, pattern]) =>
        !failuresOf(checks).some(
          (check) => check.id === id && problemsOf(check).some((problem) => pattern.test(problem)),
        ),
    )
    .map(([id, pattern]) => `${id} ${String(pattern)}`)

describe('cc-image-test hardened', () => {
  it.concurrent(
    'names nothing of the sound image',
    async () => {
      const checks = await prove(sound, 'sound', allChecks)
      expect(failuresOf(checks).map(({id, detail}) => `${id}: ${detail}`)).toEqual([])
      expect(checks.map(({id}) => id).sort()).toEqual([...allChecks].sort())
      expect(checks.filter(({status}) => status === 'skipped').map(({id, detail}) => `${id}: ${detail}`)).toEqual([])
    },
    hour,
  )

  it.concurrent.each(groups)(
    'names each weakness of the group $name, and nothing else',
    async (group) => {
      const root = folder(`mutant-${group.name}`)
      const image = await weaken(sound, group, root)
      giveToUser(root)
      const checks = await prove(image, group.name, [...fileChecks, ...group.checks])
      const found = group.mutants.map((mutant) => ({mutant, group: group.name, missed: missedOf(mutant, checks)}))
      rows.push(...found)
      expect(unexplained(group, checks)).toEqual([])
      expect(found.filter(({missed}) => missed.length > 0).map(({mutant: {id}, missed}) => ({id, missed}))).toEqual([])
    },
    hour,
  )
})

describe('the table of mutants', () => {
  it('has at least 40, each of its own name, and none survives', () => {
    const order = groups.map(({name}) => name)
    rows.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group))
    const lines = rows.map(({mutant: {id, what, findings}, group, missed}) => {
      const checks = [...new Set(findings.map(([check]) => check))].join(', ')
      return `| ${id} | ${group} | ${what} | ${missed.length === 0 ? 'killed' : 'SURVIVED'} | ${checks} |`
    })
    const seconds = Math.round((Date.now() - started) / 1000)
    const head = ['| Mutant | Image | Weakness | | Named by |', '| --- | --- | --- | --- | --- |']
    process.stderr.write(`${[...head, ...lines, '', `${rows.length} mutants, ${seconds} s`].join('\n')}\n`)
    const mutants = groups.flatMap((group) => group.mutants)
    expect(rows.length).toBe(mutants.length)
    expect(new Set(mutants.map(({id}) => id)).size).toBe(mutants.length)
    expect(mutants.length).toBeGreaterThanOrEqual(40)
    expect(rows.filter(({missed}) => missed.length > 0)).toEqual([])
  })
})
