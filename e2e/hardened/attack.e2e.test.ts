import {execFileSync} from 'node:child_process'
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {flareImage} from '../lib/flare.js'
import {buildOf, cc, folder} from '../lib/lab.js'

interface Check {
  id: string
  status: string
  detail: string
  group?: string
  action?: string
  outcome?: string
  repeat?: string
}
interface Report {
  checks: Check[]
  ms: number
  facts: Record<string, string>
}

const hour = 3_600_000
let flare: string
let requirements: string

beforeAll(async () => {
  flare = (await flareImage()).image
  requirements = join(folder('attacked-application'), 'requirements.txt')
  writeFileSync(requirements, '')
}, hour)

async function hardened(role: string, name = role): Promise<string> {
  const output = folder(`attacked-${name}`)
  const words = ['--image', flare, '--output', output, '--requirements', requirements, '--role', role, '--json']
  return buildOf(await cc('nvflare_cc_hardening_builder', ['--development', ...words])).image
}

/** The whole way: base image, FLARE, hardened; then everything that the owner of the host can do to it. */
describe.each(['client', 'server'])('cc-image-test hardened, of a %s', (role) => {
  let image: string
  let report: Report
  let checks: Check[]
  let html: string

  beforeAll(async () => {
    image = await hardened(role)
    html = join(folder(`attack-report-${role}`), 'report.html')
    const {stdout} = await cc('cc-image-test', ['hardened', '--image', image, '--json', '--html', html])
    report = JSON.parse(stdout) as Report
    checks = report.checks
    process.stderr.write(`e2e: ${checks.length} checks of a ${role} in ${Math.round(report.ms / 1000)} s\n`)
  }, 3 * hour)

  it('tries everything, and every manipulation comes to nothing', () => {
    expect(checks.filter(({status}) => status === 'failed')).toEqual([])
    const tried = checks.filter(({outcome}) => outcome !== undefined)
    expect(tried.length).toBeGreaterThan(90)
    const outcomes = new Set(tried.map(({outcome}) => outcome))
    expect([...outcomes].sort()).toEqual(['detected', 'measured', 'powerless'])
    for (const {id, detail} of tried) expect(detail.length, id).toBeGreaterThan(10)
  })

  it('says why whatever it does not try', () => {
    for (const {id, detail} of checks.filter(({status}) => status === 'skipped'))
      expect(detail.length, id).toBeGreaterThan(10)
  })

  it('says of each what was done, and the command that makes just this one again', () => {
    for (const {id, outcome, action, repeat} of checks) {
      expect(repeat, id).toContain(`--only ${id}`)
      if (outcome !== undefined) expect(action, id).toBeTruthy()
    }
  })

  it.each(['canary', 'scan-ipv4', 'scan-ipv6', 'outbound-forbidden', 'console-serial', 'inside-setuid', 'root-first'])(
    'passes %s',
    (id) => {
      expect(checks.find((check) => check.id === id)).toMatchObject({status: 'passed'})
    },
  )

  it('writes a page that a browser shows', () => {
    const browser = folder(`browser-${role}`)
    const words = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${browser}`]
    const page = `file://${html}`
    const dom = execFileSync('chromium', [...words, '--dump-dom', page], {encoding: 'utf8', maxBuffer: 64 * 1024 ** 2})
    for (const {id} of checks) expect(dom).toContain(`<tr id="${id}">`)
    expect(dom).toMatch(/<svg class="map"/)
    const picture = join(browser, 'report.png')
    execFileSync('chromium', [...words, '--window-size=1400,2000', `--screenshot=${picture}`, page])
    const png = readFileSync(picture)
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1400, 2000])
    expect(png.length).toBeGreaterThan(100_000)
  })
})

describe('cc-image-test hardened --quick', () => {
  it(
    'has one of each kind; it is gone on with after a kill, and leaves nothing behind',
    async () => {
      const image = await hardened('client', 'quick')
      const work = folder('quick-work')
      const words = ['hardened', '--image', image, '--quick', '--work-dir', work, '--json']
      const file = join(work, 'cc-image-test-hardened.results.json')
      const kept = () =>
        existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as {results: Check[]}).results : []
      const kill = new AbortController()
      const watch = setInterval(() => {
        if (kept().filter(({outcome}) => outcome !== undefined).length >= 2) kill.abort()
      }, 500)
      // A person's Ctrl-C, and where that is not enough a kill.
      await cc('cc-image-test', words, {signal: kill.signal, graceMs: 0}).catch(() => undefined)
      clearInterval(watch)
      const before = kept()
      expect(before.length).toBeGreaterThan(2)
      const {stdout} = await cc('cc-image-test', [...words, '--resume'])
      const {checks, facts, ms} = JSON.parse(stdout) as Report
      process.stderr.write(`e2e: the rest of --quick in ${Math.round(ms / 1000)} s\n`)
      expect(checks.filter(({status}) => status === 'failed')).toEqual([])
      expect(facts['Resumed']).toContain(`${before.length} results`)
      for (const result of before)
        expect(checks.find(({id}) => id === result.id)).toMatchObject({detail: result.detail})
      const groups = new Set(checks.filter(({outcome}) => outcome !== undefined).map(({group}) => group))
      expect(groups.size).toBe(11)
      expect(readdirSync(work).filter((name) => name.startsWith('scratch-'))).toEqual([])
    },
    hour,
  )
})
