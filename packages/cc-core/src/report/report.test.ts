import {setTimeout as sleep} from 'node:timers/promises'

import {describe, expect, it} from 'vitest'

import {CcError} from '../errors/index.js'
import {RecordingReporter} from '../ui/index.js'
import {
  assertChecks,
  failed,
  formatBytes,
  passed,
  reportHtml,
  reportJson,
  reportJunit,
  reportTable,
  runChecks,
  skipped,
  verdictOf,
  type Check,
  type CheckTask,
  type Report,
} from './index.js'

const task = (id: string, run: CheckTask['run']): CheckTask => ({id, title: `Title of ${id}`, run})
const evil = `\u0008</td><script>alert(1)</script>"'&\u0000\u001b[31m\ud800`
const checks: Check[] = [
  {id: 'good', title: 'Good', status: 'passed', detail: 'found', ms: 1234},
  {id: 'bad', title: 'Bad', status: 'failed', detail: `it is ${evil}`, fix: 'sudo mend', ms: 5},
  {id: 'left', title: 'Left out', status: 'skipped', detail: 'no key', ms: 0},
]
const report: Report = {
  ...{title: 'cc-image-test base', subject: evil, started: '2026-11-24T03:21:23.456Z', ms: 70_000, checks},
  facts: [{label: evil, value: evil}],
  disk: {
    bytes: 100 * 1024 ** 2,
    partitions: [
      {name: evil, start: 0, size: 99 * 1024 ** 2, mount: evil, protection: evil, kind: 'encrypted'},
      {name: 'cc-ro', start: 0, size: 1000, mount: '/ro', protection: 'dm-verity', kind: 'verified'},
    ],
  },
}

describe('runChecks', () => {
  it('runs all, reports each, and counts what throws as failed', async () => {
    const reporter = new RecordingReporter()
    const result = await runChecks(
      [
        task('a', () => passed('fine')),
        task('b', () => failed('broken', 'mend')),
        task('c', async () => skipped('no reason to')),
        task('d', () => {
          throw new CcError('E_IMAGE', 'damaged', {suggestions: ['build it again']})
        }),
        task('e', (onLine) => {
          onLine('working')
          throw new TypeError('x is undefined')
        }),
      ],
      {title: 'Checks', reporter},
    )
    expect(result).toMatchObject([
      {id: 'a', title: 'Title of a', status: 'passed', detail: 'fine'},
      {id: 'b', status: 'failed', detail: 'broken', fix: 'mend'},
      {id: 'c', status: 'skipped', detail: 'no reason to'},
      {id: 'd', status: 'failed', detail: 'E_IMAGE: damaged', fix: 'build it again'},
      {id: 'e', status: 'failed', detail: 'E_BUG: TypeError: x is undefined'},
    ])
    expect(reporter.steps('step-start')).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(reporter.steps('step-done')).toEqual(['a'])
    expect(reporter.steps('step-failed')).toEqual(['b', 'd', 'e'])
    expect(reporter.events).toContainEqual({type: 'step-skipped', step: 'c', reason: 'no reason to'})
    expect(reporter.events).toContainEqual({type: 'step-line', step: 'e', line: 'working'})
  })

  it('counts one cause once, and only where it was found to have failed', async () => {
    const of = (cause: string) => () => ({...failed('nothing to look at'), cause})
    const tasks = [task('boot', () => failed('off')), task('fine', () => passed('up'))]
    const dependent = [task('a', of('boot')), task('b', of('fine')), task('c', of('elsewhere'))]
    const run = async (all: CheckTask[]) =>
      (await runChecks(all, {title: 'Checks', reporter: new RecordingReporter()})).map(({id, status}) => [id, status])
    expect(await run([...dependent, ...tasks])).toEqual([
      ['a', 'skipped'],
      ...['b', 'c', 'boot'].map((id) => [id, 'failed']),
      ['fine', 'passed'],
    ])
    // Alone it is a failure.
    expect(await run(dependent)).toEqual(['a', 'b', 'c'].map((id) => [id, 'failed']))
  })

  it('ends at an interruption, before and in a check', async () => {
    const reporter = new RecordingReporter()
    const abort = new AbortController()
    const stop = () => {
      abort.abort()
      return passed('')
    }
    const later = task('later', () => passed(''))
    const options = {title: '', reporter, signal: abort.signal}
    await expect(runChecks([task('stop', stop), later], options)).rejects.toMatchObject({code: 'E_INTERRUPTED'})
    const interrupted = task('in', () => {
      throw new CcError('E_INTERRUPTED', 'interrupted')
    })
    await expect(runChecks([interrupted, later], {title: '', reporter})).rejects.toMatchObject({exitCode: 130})
    expect(reporter.steps('step-start')).toEqual(['stop', 'in'])
  })

  it('runs as many at a time as it is told, begins with the lowest rank, and keeps the order of the list', async () => {
    const begun: string[] = []
    let [running, most] = [0, 0]
    const slow = (id: string, rank?: number): CheckTask => ({
      ...{id, title: id, group: 'All', action: 'waits', ...(rank !== undefined && {rank})},
      run: async () => {
        begun.push(id)
        most = Math.max(most, ++running)
        await sleep(20)
        running--
        return {...passed(''), outcome: 'waited'}
      },
    })
    const tasks = [slow('last', 1), slow('a'), slow('first', -1), slow('b')]
    const result = await runChecks(tasks, {title: '', reporter: new RecordingReporter(), jobs: 2})
    expect(result.map(({id}) => id)).toEqual(['last', 'a', 'first', 'b'])
    expect(begun).toEqual(['first', 'a', 'b', 'last'])
    expect(most).toBe(2)
    expect(result[0]).toMatchObject({group: 'All', action: 'waits', outcome: 'waited'})
  })

  it('does not make again what is known, tells of each result, and works out consequences of both', async () => {
    const ran: string[] = []
    const told: [string, string | undefined][] = []
    const made = (id: string, cause?: string) =>
      task(id, () => {
        ran.push(id)
        return {...failed('off'), ...(cause !== undefined && {cause})}
      })
    const before = {id: 'boot', title: 'before', status: 'failed', detail: 'off', ms: 9} as const
    const result = await runChecks([made('boot'), made('a', 'boot'), made('b')], {
      ...{title: '', reporter: new RecordingReporter(), known: new Map([['boot', before]])},
      onResult: ({id, cause}) => void told.push([id, cause]),
    })
    expect(ran).toEqual(['a', 'b'])
    expect(told).toEqual([
      ['a', 'boot'],
      ['b', undefined],
    ])
    expect(result[0]).toEqual(before)
    expect(result.map(({status}) => status)).toEqual(['failed', 'skipped', 'failed'])
  })

  it('names every problem', () => {
    expect(verdictOf([], 'all good')).toEqual(passed('all good'))
    expect(verdictOf(['one', 'two'], 'all good')).toEqual(failed('one; two'))
  })
})

describe('assertChecks', () => {
  it('exits 7 when one failed, and 0 when one was skipped', () => {
    expect(() => {
      assertChecks(checks)
    }).toThrow(expect.objectContaining({code: 'E_CHECK', exitCode: 7, message: '1 of 3 checks failed: bad'}) as Error)
    expect(() => {
      assertChecks(checks.filter(({id}) => id !== 'bad'))
    }).not.toThrow()
  })
})

describe('reportTable', () => {
  it('has a line for each check, the fix below it, and the count', () => {
    const text = reportTable({...report, checks: checks.map((check) => ({...check, detail: 'found'}))})
    expect(text.split('\n')).toEqual([
      'pass  Good      1.2 s  found',
      'FAIL  Bad       0.0 s  found',
      '                       fix: sudo mend',
      'skip  Left out  0.0 s  found',
      '',
      '1 passed, 1 failed, 1 skipped',
      'took 1 min 10 s',
    ])
  })

  it('keeps a detail in its column, and on its lines', () => {
    const long = {...report, checks: [{...checks[0], detail: 'a\nb '.repeat(20).trim()} as Check]}
    const lines = reportTable(long, 50).split('\n').slice(0, -3)
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(50)
    expect(lines[1]).toMatch(/^ {19}[ab]/)
  })

  it('says what was done, and how to do it again; of a look only where it failed', () => {
    const again = {repeat: 'test --only x'}
    const tried: Check = {id: 'x', title: 'X', status: 'passed', detail: 'found', ms: 0, action: 'writes', ...again}
    const looked: Check[] = [
      {id: 'y', title: 'Y', status: 'passed', detail: 'found', ms: 0, ...again},
      {id: 'z', title: 'Z', status: 'failed', detail: 'found', ms: 0, ...again},
    ]
    const lines = reportTable({...report, checks: [tried, ...looked]}).split('\n')
    expect(lines.map((line) => line.trim()).slice(0, -3)).toEqual([
      'pass  X  0.0 s  found',
      ...['done: writes', 'repeat: test --only x'],
      ...['pass  Y  0.0 s  found', 'FAIL  Z  0.0 s  found', 'repeat: test --only x'],
    ])
    for (const text of [reportHtml({...report, checks: [tried]}), reportJunit({...report, checks: [tried]})])
      for (const part of ['writes', 'test --only x']) expect(text).toContain(part)
    expect(reportJson({...report, checks: [tried]})).toMatchObject({checks: [{action: 'writes', ...again}]})
  })

  it('moves no cursor', () => {
    // eslint-disable-next-line no-control-regex
    expect(reportTable(report)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
  })
})

describe('reportJson', () => {
  it('has the form that others script against', () => {
    expect(reportJson(report)).toMatchObject({
      checks: [{id: 'good', title: 'Good', status: 'passed', detail: 'found', ms: 1234}, {fix: 'sudo mend'}, {}],
      ...{passed: 1, failed: 1, skipped: 1, ms: 70_000, started: report.started},
    })
  })
})

describe('reportJunit', () => {
  it('counts, times and escapes', () => {
    const xml = reportJunit(report)
    expect(xml).toContain('tests="3" failures="1" errors="0" skipped="1" time="70.000"')
    expect(xml).toContain('name="good: Good" time="1.234"><system-out>found</system-out>')
    expect(xml).toContain('<skipped message="no key"/>')
    expect(xml).toContain(
      '<failure message="it is \ufffd&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;',
    )
    expect(xml).toContain('fix: sudo mend')
    isPlain(xml)
  })
})

describe('reportHtml', () => {
  const html = reportHtml(report)

  it('escapes everything it shows', () => {
    expect(html).not.toContain('<script')
    expect(html.match(/&lt;script&gt;/g)?.length).toBeGreaterThanOrEqual(7)
    isPlain(html)
  })

  it('loads nothing', () => {
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    expect(html).not.toMatch(/\b(src|srcset|action|ping)=|url\(|@import|href="(?!#)/)
  })

  it('shows each check, says the result in words, and leads to what failed', () => {
    for (const {id, status} of checks) {
      expect(html).toContain(`<tr id="${id}"><td><span class="status ${status}">${status}</span>`)
    }
    expect(html).toContain('1 of 3 checks failed: 1 passed, 1 failed, 1 skipped')
    expect(html).toContain('<a href="#bad">Bad</a>')
    expect(html).toContain('Fix: <code>sudo mend</code>')
    expect(html).toContain('2026-11-24 03:21:23 UTC')
  })

  it('draws the partitions by their size, the smallest still there', () => {
    expect([...html.matchAll(/--share:(\d+)/g)].map(([, share]) => share)).toEqual(['990', '1'])
    expect(html).toContain('<span>1,000 bytes</span><span>dm-verity</span>')
  })

  it('draws the disk to scale, with a name for each place', () => {
    const partitions = [
      {name: 'cc-a', start: 50, size: 25, mount: '/', protection: 'LUKS2 + dm-verity', kind: 'encrypted' as const},
      {name: 'cc-b', start: 75, size: 1e-6, mount: '/b', protection: 'LUKS2', kind: 'encrypted' as const},
    ]
    const page = reportHtml({...report, disk: {bytes: 100, partitions}})
    expect(page).toContain('<rect class="encrypted" x="500" width="249" height="28"/>')
    expect(page).toContain('<rect class="tree" x="500" y="21" width="249" height="7"/>')
    expect(page).toContain('<rect class="encrypted" x="750" width="3" height="28"/></g>')
    expect(page).toContain('aria-label="cc-a: LUKS2 + dm-verity; cc-b: LUKS2"')
  })

  it('has a table for each group, with what was done and how it went where that is known', () => {
    const [first, , third] = checks
    if (first === undefined || third === undefined) throw new Error('too few checks')
    const grouped: Check[] = [
      {...first, group: 'Files'},
      {
        id: 'x',
        title: 'X',
        status: 'passed',
        detail: 'why',
        ms: 9,
        group: 'Disk <1>',
        action: 'writes',
        outcome: 'detected',
      },
      {...third, group: 'Files'},
    ]
    const page = reportHtml({...report, checks: grouped})
    expect([...page.matchAll(/<h2 id="checks[^"]*">([^ ]+ ?[^ ]*) <span/g)].map(([, title]) => title)).toEqual([
      'Files',
      'Disk &lt;1&gt;',
    ])
    expect(page).toContain('<tr id="x"><td><span class="status passed">detected</span>')
    expect(page).toContain('<td class="action">writes</td>')
    expect(page.match(/What the host does/g)).toHaveLength(1)
    expect(reportTable({...report, checks: grouped})).toContain('detected: why')
    expect(reportJunit({...report, checks: grouped})).toContain('<system-out>detected: why\ndone: writes</system-out>')
  })

  it('calls it good only when nothing failed', () => {
    const good = reportHtml({...report, checks: checks.filter(({id}) => id !== 'bad')})
    expect(good).toContain('No check failed: 1 passed, 0 failed, 1 skipped')
    expect(good).toContain('class="verdict passed"')
  })
})

it('writes sizes for people', () => {
  expect([142, 1048576, 930086912].map(formatBytes)).toEqual(['142 bytes', '1 MiB', '887 MiB'])
})

function isPlain(markup: string): void {
  // eslint-disable-next-line no-control-regex
  expect(markup).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]|\p{Surrogate}/u)
}
