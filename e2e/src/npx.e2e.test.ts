import {readdirSync} from 'node:fs'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {errorOf, folder, lab} from '../lib/lab.js'
import {npxNames, npxOf} from '../lib/npx.js'
import {aliases} from '../lib/packages.js'
import {publish, startRegistry, type Registry} from '../lib/registry.js'

let registry: Registry
let npx: ReturnType<typeof npxOf>
/** The empty folder that everything is run in; nothing here writes to it. */
let cwd: string

beforeAll(async () => {
  const {tarballs} = lab()
  registry = await startRegistry(join(folder('npx-registry'), 'registry'))
  await publish(registry, [...readdirSync(tarballs).map((name) => join(tarballs, name)), ...aliases])
  npx = npxOf(registry, 'npx-home')
  cwd = folder('npx-empty')
})

afterAll(() => registry.stop())

describe('a bare npx in an empty folder, with nothing but a registry', () => {
  it.each(npxNames)('%s shows its help', async (name) => {
    const {exitCode, stdout, stderr} = await npx([name, '--help'], cwd)
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toMatch(new RegExp(`^ +\\$ ${name} `, 'm'))
    expect(readdirSync(cwd)).toEqual([])
  })

  it.each(npxNames)('%s prints its configuration', async (name) => {
    const {exitCode, stdout, stderr} = await npx([name, '--print-config', '--set', 'os.hostname=from-npx'], cwd)
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain('hostname: from-npx')
  })

  it('cc-image-installer plans an image, with the steps that came with it', async () => {
    const {exitCode, stdout, stderr} = await npx(['cc-image-installer', '--dry-run'], cwd)
    expect(exitCode, stderr).toBe(0)
    const steps = stdout.split('\n').filter((line) => line.startsWith('bash '))
    expect(steps.length).toBeGreaterThan(10)
    expect(
      steps.filter((line) => !/^bash \/\S+-home\/\.npm\/_npx\/\w+\/node_modules\/cc-scripts\//.test(line)),
    ).toEqual([])
    expect(readdirSync(cwd)).toEqual([])
  })

  it('nvflare-cc-builder plans an image from another', async () => {
    const words = ['nvflare-cc-builder', '--size', '20G', '--image', lab().image, '--dry-run']
    const {exitCode, stdout, stderr} = await npx(words, cwd)
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain(`/node_modules/cc-scripts/flare/`)
  })

  it('nvflare_cc_hardening_builder says what it lacks', async () => {
    const result = await npx(['nvflare_cc_hardening_builder', '--dry-run', '--json'], cwd)
    expect(errorOf(result)).toMatchObject({code: 'E_CONFIG', exitCode: result.exitCode})
  })
})
