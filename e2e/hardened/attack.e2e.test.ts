import {execFileSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {flareImage} from '../lib/flare.js'
import {buildOf, cc, folder} from '../lib/lab.js'

interface Check {
  id: string
  status: string
  detail: string
  group?: string
  outcome?: string
}

const hour = 3_600_000
let image: string
let checks: Check[]
let html: string

/** The whole way: base image, FLARE, hardened; then everything that the owner of the host can do to it. */
beforeAll(async () => {
  const output = folder('attacked')
  const flare = (await flareImage()).image
  const requirements = join(folder('attacked-application'), 'requirements.txt')
  writeFileSync(requirements, '')
  const words = ['--image', flare, '--output', output, '--requirements', requirements, '--role', 'client', '--json']
  image = buildOf(await cc('nvflare_cc_hardening_builder', ['--development', ...words])).image
  html = join(folder('attack-report'), 'report.html')
  const {stdout} = await cc('cc-image-test', ['hardened', '--image', image, '--json', '--html', html])
  checks = (JSON.parse(stdout) as {checks: Check[]}).checks
}, hour)

describe('cc-image-test hardened', () => {
  it('tries at least 25 manipulations, and every one of them comes to nothing', () => {
    expect(checks.filter(({status}) => status === 'failed')).toEqual([])
    const tried = checks.filter(({outcome}) => outcome !== undefined)
    expect(tried.length).toBeGreaterThan(80)
    const outcomes = new Set(tried.map(({outcome}) => outcome))
    expect([...outcomes].sort()).toEqual(['detected', 'measured', 'powerless'])
    for (const {id, detail} of tried) expect(detail.length, id).toBeGreaterThan(10)
  })

  it('says why whatever it does not try', () => {
    for (const {id, detail} of checks.filter(({status}) => status === 'skipped'))
      expect(detail.length, id).toBeGreaterThan(10)
  })

  it.each(['canary', 'scan-ipv4', 'scan-ipv6', 'outbound-forbidden', 'console-serial', 'inside-setuid', 'root-first'])(
    'passes %s',
    (id) => {
      expect(checks.find((check) => check.id === id)).toMatchObject({status: 'passed'})
    },
  )

  it('writes a page that a browser shows', () => {
    const words = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${folder('browser')}`]
    const page = `file://${html}`
    const dom = execFileSync('chromium', [...words, '--dump-dom', page], {encoding: 'utf8', maxBuffer: 64 * 1024 ** 2})
    for (const {id} of checks) expect(dom).toContain(`<tr id="${id}">`)
    expect(dom).toMatch(/<svg class="map"/)
    const picture = join(folder('browser-picture'), 'report.png')
    execFileSync('chromium', [...words, '--window-size=1400,2000', `--screenshot=${picture}`, page])
    const png = readFileSync(picture)
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1400, 2000])
    expect(png.length).toBeGreaterThan(100_000)
  })
})
