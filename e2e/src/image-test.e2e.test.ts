import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {buildOf, cc, folder, lab} from '../lib/lab.js'

interface TestJson {
  checks: {id: string; status: string; detail: string}[]
  passed: number
  failed: number
  skipped: number
}

/** Run cc-image-test; whatever did not pass is in the message of a failure. */
async function test(kind: string, image: string, ...words: string[]): Promise<TestJson & {exitCode: number}> {
  const {exitCode, stdout} = await cc('cc-image-test', [kind, '--image', image, '--json', ...words])
  return {...(JSON.parse(stdout) as TestJson), exitCode}
}

/** What did not pass. Without a firmware in its configuration an image has no expected measurement to look at. */
const bad = ({checks}: TestJson) =>
  checks.filter(({id, status}) => status !== (id.startsWith('measurement') ? 'skipped' : 'passed'))

describe('cc-image-test base', () => {
  it('passes the image of debian-12, with a report for people', async () => {
    const html = join(folder('report'), 'report.html')
    const result = await test('base', lab().image, '--html', html)
    expect(bad(result)).toEqual([])
    expect(result.exitCode).toBe(0)
    expect(result.passed).toBeGreaterThan(30)
    expect(readFileSync(html, 'utf8')).toContain('cc-root')
  })

  it('passes an image of debian-13 with a configuration of its own', async () => {
    const work = folder('trixie')
    const sets = ['os.hostname=site-1', 'os.timezone=Europe/Berlin', 'os.locale=de_DE.UTF-8']
    sets.push(
      'layout.partitions.cc-app.size=64M',
      'layout.partitions.cc-more={mount: /mnt/more, size: 32M}',
      'layout.size=2G',
    )
    const {image} = buildOf(
      await cc('cc-image-installer', [
        ...['--iso', lab().iso['debian-13'], '--output', work, '--json'],
        ...sets.flatMap((set) => ['--set', set]),
      ]),
    )
    const result = await test('base', image)
    expect(bad(result)).toEqual([])
  })
})

describe('cc-image-test host', () => {
  it('finds what building here needs', async () => {
    const {exitCode, stdout} = await cc('cc-image-test', ['host', '--json'])
    expect(exitCode, stdout).toBe(0)
  })
})
