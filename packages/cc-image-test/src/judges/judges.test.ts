import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join, relative} from 'node:path'

import type {Verdict} from 'cc-core/report'
import {describe, expect, it} from 'vitest'

type Judge = (seen: unknown, expected?: unknown) => Verdict
interface Case {
  good: readonly unknown[][]
  bad: Record<string, unknown[]>
  missing: Record<string, unknown[]>
}

const folder = import.meta.dirname
const source = join(folder, '..')
const modules = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && !/\.(test|cases)\.ts$/.test(name) && name !== 'index.ts')
  .map((name) => name.slice(0, -3))

/** Every judge with its cases; those of a module without cases are undefined. */
const judges: {name: string; judge: Judge; cases: Case | undefined}[] = []
for (const module of modules) {
  const found = (await import(/* @vite-ignore */ join(folder, `${module}.ts`))) as Record<string, unknown>
  const names = Object.keys(found).filter((name) => name.startsWith('judge') && !name.startsWith('judging'))
  if (names.length === 0) continue
  const file = join(folder, `${module}.cases.ts`)
  const {cases} = (existsSync(file) ? await import(/* @vite-ignore */ file) : {cases: {}}) as {
    cases: Record<string, Case>
  }
  for (const name of names) judges.push({name, judge: found[name] as Judge, cases: cases[name]})
}

/** Parts of good evidence that may rightly be empty: by the judge, with the reason. */
const mayBeEmpty: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  judgeAlone: {otherFiles: 'an image that shares no root needs no other file: what is listed is what it leans on'},
  judgeEspManifest: {'copy.disk': 'the copy is older than a disk that has grown: its size is not compared'},
  judgeLive: {packets: 'a machine may say nothing more: that it lives is seen by what it hears'},
  judgePackages: {unwanted: 'none is what is wanted: that some were sought is evidence of its own'},
  judgeSbom: {unowned: 'none is what is wanted: that files were looked at is seen by the components that were found'},
  judgeTampered: {
    'baseline.CC-HARDENED mounts': 'where another mount is right, what the untouched machine mounts is not compared',
  },
  judgeSevSnp: {flags: 'the parameter of kvm_amd alone says that it is enabled'},
}

/** An array or an object that holds something, without it; undefined for anything else. */
function emptied(part: unknown): unknown {
  if (Array.isArray(part)) return part.length > 0 ? [] : undefined
  if (part === null || typeof part !== 'object' || part instanceof Uint8Array) return undefined
  return Object.keys(part).length > 0 ? {} : undefined
}

/** Good evidence with one of its arrays and objects emptied, or one of those in its objects; with the names of each. */
function* withOneEmpty(seen: object): Generator<[part: string, changed: object]> {
  for (const [part, value] of Object.entries(seen) as [string, unknown][]) {
    const empty = emptied(value)
    if (empty === undefined) continue
    yield [part, {...seen, [part]: empty}]
    if (Array.isArray(value)) continue
    for (const [inner, innerValue] of Object.entries(value as object) as [string, unknown][]) {
      const innerEmpty = emptied(innerValue)
      if (innerEmpty !== undefined)
        yield [`${part}.${inner}`, {...seen, [part]: {...(value as object), [inner]: innerEmpty}}]
    }
  }
}

describe('every judge', () => {
  it('is known here, and has good, bad and missing evidence', () => {
    expect(judges.length).toBeGreaterThan(20)
    const lacking = judges.filter(
      ({cases}) =>
        cases === undefined ||
        cases.good.length === 0 ||
        [cases.bad, cases.missing].some((kind) => Object.keys(kind).length === 0),
    )
    expect(lacking.map(({name}) => name)).toEqual([])
  })
})

function verdictOrError(judge: () => Verdict): Partial<Verdict> {
  try {
    return judge()
  } catch (error) {
    return {detail: String(error)}
  }
}

describe.each(judges)('$name', ({name, judge, cases}) => {
  const {good = [], bad = {}, missing = {}} = cases ?? {}

  it.each(good.map((given, index) => [index, given] as const))('passes good evidence, case %i', (_, given) => {
    const verdict = judge(...(given as [unknown, unknown]))
    expect(verdict.status, verdict.detail).toBe('passed')
    expect(verdict.detail).not.toBe('')
  })

  it.each(Object.entries(bad))('fails: %s', (_, given) => {
    const verdict = judge(...(given.slice(0, -1) as [unknown, unknown]))
    expect(verdict.status, verdict.detail).toBe('failed')
    expect(verdict.detail).toMatch(given.at(-1) as RegExp)
  })

  it.each(Object.entries(missing))('fails without evidence: %s', (_, given) => {
    const verdict = judge(...(given as [unknown, unknown]))
    expect(verdict.status, verdict.detail).toBe('failed')
  })

  it('fails good evidence with any part of it emptied', () => {
    for (const [seen, expected] of good) {
      for (const [part, changed] of withOneEmpty(seen as object)) {
        if (mayBeEmpty[name]?.[part] !== undefined) continue
        // A judge may fall over what no check hands to it; it may not pass it.
        const verdict = verdictOrError(() => judge(changed, expected))
        // Of a machine that ended for its own reason nothing is compared.
        if (part.startsWith('baseline') && verdict.outcome === 'detected') continue
        expect(verdict, `${part} is empty`).not.toMatchObject({status: 'passed'})
      }
    }
  })

  it('fails good evidence with any part of it taken away', () => {
    for (const [seen, expected] of good) {
      expect(judge({}, expected).status).toBe('failed')
      for (const part of Object.keys(seen as object)) {
        if ((seen as Record<string, unknown>)[part] === undefined) continue
        const verdict = judge({...(seen as object), [part]: undefined}, expected)
        // Of a machine that ended for its own reason nothing is compared.
        if (part === 'baseline' && verdict.outcome === 'detected') continue
        expect(verdict.status, `without ${part}: ${verdict.detail}`).toBe('failed')
      }
    }
  })
})

describe('the source', () => {
  const files = readdirSync(source, {recursive: true, encoding: 'utf8'}).filter(
    (name) => name.endsWith('.ts') && !/\.(test|cases)\.ts$/.test(name) && !name.startsWith('fixtures/'),
  )
  const imports = (name: string) =>
    [...readFileSync(join(source, name), 'utf8').matchAll(/^import (type )?([^;]*?) from '([^']+)'/gms)].map(
      ([, type, names = '', from = '']) => ({type: type !== undefined, names, from}),
    )

  it('of a judge reads and runs nothing', () => {
    const pure = /^(\.\/[\w-]+\.js|zod|cc-core\/(report|ui|boot|cmdline|config|layout|host))$/
    for (const name of modules) {
      const others = imports(relative(source, join(folder, `${name}.ts`))).filter(
        ({type, from}) => !type && !pure.test(from),
      )
      expect(
        others.map(({from}) => from),
        name,
      ).toEqual([])
      expect(readFileSync(join(folder, `${name}.ts`), 'utf8'), name).not.toMatch(/\b(await |async |Promise|process\.)/)
    }
  })

  it('concludes nothing outside of the judges', () => {
    const concluding = /\b(passed|failed|verdictOf|defended|broken)\b/
    const others = files
      .filter((name) => !name.startsWith('judges/'))
      .filter((name) => imports(name).some(({names}) => concluding.test(names)))
    expect(others).toEqual([])
  })

  it('has no verdict that was written by hand, and no way around the imports by name', () => {
    const outside = files.filter((name) => !name.startsWith('judges/'))
    const detours = [
      /status:\s*['"`](passed|failed)['"`]/,
      /\* as \w+ from '(cc-core\/report|.*judges\/.*)'/,
      /import\('(cc-core\/report|.*judges\/.*)'\)/,
    ]
    const examples = [`status: 'passed'`, `* as report from 'cc-core/report'`, `import('../judges/outcome.js')`]
    for (const [index, example] of examples.entries()) expect(example).toMatch(detours[index] ?? /^$/)
    for (const name of outside) {
      const text = readFileSync(join(source, name), 'utf8')
      expect(detours.filter((detour) => detour.test(text)).map(String), name).toEqual([])
    }
  })
})
