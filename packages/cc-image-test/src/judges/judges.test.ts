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

describe.each(judges)('$name', ({judge, cases}) => {
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
})
