import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {spawnSync} from 'node:child_process'

import {readImageDirectory} from 'cc-core/manifest'
import {passed, skipped, type CheckTask, type Report} from 'cc-core/report'
import {SilentReporter} from 'cc-core/ui'
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {copyOf, name, sealSmallImage} from './fixtures/image.js'
import {identityOf} from './services/results.js'
import {testImage, type ImageTestOptions} from './services/test-image.js'

let lab: string
let sealed: string
let dir: string
let image: string
beforeAll(async () => {
  lab = mkdtempSync(join(tmpdir(), 'cc-results-'))
  sealed = await sealSmallImage(lab)
}, 60_000)
beforeEach(() => {
  dir = mkdtempSync(join(lab, 'test-'))
  image = copyOf(sealed, dir)
})
afterAll(() => {
  rmSync(lab, {recursive: true})
})

interface Run {
  made: string[]
  report: Report | null
  error?: Error & {suggestions: string[]}
  resumed?: string | undefined
}

/**
 * A run of three checks.
 * @param killedAt the check at which it is interrupted
 * @returns the checks that were made; the report, or null where it was interrupted
 */
async function runThree({
  killedAt,
  results = 'resume',
  memoryMiB = 64,
}: {killedAt?: string} & Partial<Pick<ImageTestOptions, 'results' | 'memoryMiB'>> = {}): Promise<Run> {
  const made: string[] = []
  const stop = new AbortController()
  const check = (id: string, verdict = passed('as it should be')): CheckTask => ({
    ...{id, title: id, action: 'tries', repeat: `again ${id}`},
    run: () => {
      made.push(id)
      if (id === killedAt) stop.abort()
      return verdict
    },
  })
  const suite = {
    title: 'cc-image-test three',
    lazy: true,
    checks: () => [check('a'), check('b', skipped('no')), check('c')],
  }
  const options = {
    image,
    config: null,
    workDir: join(dir, 'work'),
    accelerator: 'tcg' as const,
    timeoutMs: 1,
    lingerMs: 0,
  }
  const running = testImage(
    suite,
    {...options, memoryMiB, results},
    {reporter: new SilentReporter(), signal: stop.signal},
  )
  const outcome: unknown = await running.catch((error: unknown) => error)
  if (outcome instanceof Error) return {made, report: null, error: outcome as Error & {suggestions: string[]}}
  const {report} = outcome as Awaited<typeof running>
  return {made, report, resumed: report.facts.find(({label}) => label === 'Resumed')?.value}
}

describe('a run that was interrupted', {timeout: 60_000}, () => {
  it('is gone on with: what had ended is in the report, and is not made again', async () => {
    const first = await runThree({killedAt: 'b'})
    expect(first).toMatchObject({made: ['a', 'b'], report: null, error: {code: 'E_INTERRUPTED'}})
    expect(first.error?.suggestions).toEqual([expect.stringContaining('--resume')])
    const second = await runThree()
    expect(second.made).toEqual(['c'])
    expect(second.report?.checks).toMatchObject([
      {id: 'a', status: 'passed', action: 'tries', repeat: 'again a'},
      {id: 'b', status: 'skipped', detail: 'no'},
      {id: 'c', status: 'passed'},
    ])
    expect(second.resumed).toMatch(/^2 results of the run of \d{4}-/)
    expect((await runThree()).made).toEqual([])
  })

  it('is begun anew without being asked to go on', async () => {
    await runThree({killedAt: 'b'})
    expect(await runThree({results: 'keep'})).toMatchObject({made: ['a', 'b', 'c'], resumed: undefined})
  })

  it.each([
    [
      'one byte of the disk',
      (): void => {
        const disk = join(image, `${name}.qcow2`)
        const bytes = readFileSync(disk)
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
        writeFileSync(disk, bytes)
      },
      {},
      'the image',
    ],
    [
      'a key',
      (): void => {
        writeFileSync(join(image, 'keys/root.key'), 'x')
      },
      {},
      'the image',
    ],
    ['the settings', (): void => undefined, {memoryMiB: 65}, 'the settings'],
  ] as const)('begins anew where %s changed, and says so', async (_, change, options, what) => {
    await runThree({killedAt: 'b'})
    change()
    const {made, resumed} = await runThree(options)
    expect(made).toEqual(['a', 'b', 'c'])
    expect(resumed).toMatch(new RegExp(`^nothing: ${what} changed since `))
  })

  it.each([
    ['damaged', '{"version":1', /is damaged$/],
    ['of a later version', '{"version":2}', /is damaged$/],
  ])('begins anew where what it kept is %s', async (_, text, note) => {
    mkdirSync(join(dir, 'work'))
    writeFileSync(join(dir, 'work/cc-image-test-three.results.json'), text)
    const {made, resumed} = await runThree()
    expect(made).toEqual(['a', 'b', 'c'])
    expect(resumed).toMatch(note)
    expect((await runThree()).made).toEqual([])
  })

  it('leaves no folder behind that a later run does not remove; that of a run that is going on stays', async () => {
    const {pid} = spawnSync('true')
    for (const folder of [`scratch-${pid}-gone`, `scratch-${process.ppid}-busy`])
      mkdirSync(join(dir, 'work', folder), {recursive: true})
    await runThree()
    expect(readdirSync(join(dir, 'work')).sort()).toEqual([
      'cc-image-test-three.results.json',
      `scratch-${process.ppid}-busy`,
    ])
  })
})

it('takes an image for another one when any file of it is', async () => {
  const of = async () => (await identityOf(await readImageDirectory(image), {}))['the image']
  const before = await of()
  expect(await of()).toBe(before)
  writeFileSync(join(image, 'launch_cc_image.sh'), '#!/bin/sh\n')
  expect(await of()).not.toBe(before)
})
