import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {smallFolder} from './fixtures/small-build.js'

const marker = 'the kit of one site'
const script = fileURLToPath(new URL('fixtures/small-build.ts', import.meta.url))

let root: string
const path = (...names: string[]) => join(root, ...names)
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'cc-abort-'))
  await smallFolder(root, marker)
})
afterEach(() => {
  rmSync(root, {recursive: true, force: true})
})

const build = (...words: string[]): ChildProcess => buildAs({}, ...words)
const buildAs = (env: object, ...words: string[]): ChildProcess =>
  spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, ...words], {
    cwd: root,
    env: {...process.env, ...env},
    stdio: 'ignore',
  })

async function finished(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

/** Waits for what a build makes; false where it ended before. */
async function until(child: ChildProcess, condition: () => boolean): Promise<boolean> {
  while (child.exitCode === null) {
    if (condition()) return true
    await sleep(2)
  }
  return false
}

/** Files and folders below the work folder and the output folder that hold what is secret, outside of a whole image. */
function secrets(): string[] {
  const found: string[] = []
  const look = (folder: string) => {
    for (const entry of existsSync(folder) ? readdirSync(folder, {withFileTypes: true}) : []) {
      const inner = join(folder, entry.name)
      if (/^(own-.*|open|scratch-.*|unfinished\.json|.*\.partial)$/.test(entry.name))
        found.push(inner)
      if (entry.isDirectory() && entry.name !== 'image') look(inner)
      else if (entry.isFile()) {
        const bytes = readFileSync(inner)
        if (bytes.includes(marker)) found.push(inner)
      }
    }
  }
  for (const name of ['work', 'build', 'other']) look(path(name))
  return found
}

const words = ['--work-dir', 'work', '--output', 'build']
const started = () => existsSync(path('work/small/lock'))

describe('a build that is stopped', () => {
  it('leaves nothing that is secret, whenever the signal comes', async () => {
    const whole = build(...words)
    await until(whole, started)
    const begin = Date.now()
    expect(await finished(whole)).toBe(0)
    let ms = Date.now() - begin
    expect(secrets()).toEqual([])
    for (const [index, share] of [0.1, 0.35, 0.6, 0.85].entries()) {
      let code: number | null = 0
      // A run may be faster than the one before, and through before its signal: then the next signal comes earlier.
      for (let attempt = 0; code === 0 && attempt < 8; attempt += 1) {
        rmSync(path('build'), {recursive: true, force: true})
        const child = build(...words)
        await until(child, started)
        await sleep(ms * share)
        child.kill(index % 2 === 0 ? 'SIGINT' : 'SIGTERM')
        code = await finished(child)
        expect(secrets(), `at ${share} of ${ms} ms`).toEqual([])
        expect(readdirSync(path('work/small'))).not.toContain('lock')
        if (code === 0) ms *= 0.8
      }
      expect([130, 143]).toContain(code)
    }
  }, 240_000)

  it('of several images leaves the whole ones, and of the others nothing, nor the system before its encryption', async () => {
    for (const label of ['a', 'b']) cpSync(path('kit'), path(`kit-${label}`), {recursive: true})
    const child = buildAs({SMALL_LABELS: 'a,b'}, ...words)
    expect(await until(child, () => existsSync(path('build/b/.image.partial/image.qcow2')))).toBe(true)
    expect(existsSync(path('work/small/prepared'))).toBe(true)
    child.kill('SIGINT')
    expect(await finished(child)).toBe(130)
    expect(secrets()).toEqual([])
    expect(existsSync(path('work/small/prepared'))).toBe(false)
    // They are sealed side by side: the other one is whole or not there, too.
    expect([[], ['image']]).toContainEqual(readdirSync(path('build/a')))
    expect(readdirSync(path('build/b'))).toEqual([])
  }, 120_000)

  it('leaves nothing where it cannot clean up: the next run does, also one to another folder', async () => {
    const child = build('--work-dir', 'work', '--output', 'other')
    // Kit and keys are there when the disk is.
    expect(await until(child, () => existsSync(path('other/.image.partial/image.qcow2')))).toBe(true)
    child.kill('SIGKILL')
    await finished(child)
    const left = secrets()
    expect(left).toEqual(expect.arrayContaining([path('other/.image.partial'), path('work/small/own-small')]))
    expect(await finished(build(...words))).toBe(0)
    expect(secrets()).toEqual([])
  }, 120_000)
})
