import {mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {RecordingReporter} from '../ui/index.js'
import {callStep, hashFolder, onceTask, planStep, readContract, scriptsDirectory, stepKeys, stepTask} from './index.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc steps '))
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})

const header = `#!/usr/bin/env bash
# Change a tree: this and
# that.
#
# Parameters:
#   --tree DIR            the tree
#   [--name TEXT]...      a name
#   [--really FLAG]       do it
# Runs in: host
# Network: only for some
#   of it
# Output: the tree
`

describe('a contract', () => {
  const contractOf = (text: string) => {
    const file = join(folder, '10-x.sh')
    writeFileSync(file, text)
    return readContract(file)
  }

  it('is read from the head of the script', async () => {
    expect(await contractOf(`${header}\nexit\n#   --no PARAMETER\n`)).toEqual({
      name: '10-x',
      purpose: 'Change a tree: this and that.',
      parameters: [
        {name: 'tree', word: 'DIR', required: true, repeatable: false, description: 'the tree'},
        {name: 'name', word: 'TEXT', required: false, repeatable: true, description: 'a name'},
        {name: 'really', word: 'FLAG', required: false, repeatable: false, description: 'do it'},
      ],
      runsIn: 'host',
      network: 'only for some   of it',
      output: 'the tree',
    })
  })

  it.each(['Runs in: host', 'Network: only for some', 'Output: the tree'])('is not one without "%s"', async (line) => {
    await expect(contractOf(`${header.replace(`# ${line}\n`, '')}\n`)).rejects.toMatchObject({code: 'E_BUG'})
  })

  it('is had by every step that there is', async () => {
    const groups = ['source', 'base', 'disk', 'tree']
    const scripts = groups.flatMap((group) =>
      readdirSync(join(scriptsDirectory(), group))
        .filter((name) => name.endsWith('.sh'))
        .map((name) => join(scriptsDirectory(), group, name)),
    )
    expect(scripts.length).toBeGreaterThan(20)
    for (const script of scripts) await expect(readContract(script), script).resolves.toBeDefined()
  })
})

describe('a planned step', () => {
  it('is the command that a person would write', async () => {
    const step = await planStep('base/40-memory', {tree: '/t r', tmpfs: ['/tmp:25%:1777', '/var/tmp:1G:1777']})
    expect(step.argv.slice(2)).toEqual(['--tree', '/t r', '--tmpfs', '/tmp:25%:1777', '--tmpfs', '/var/tmp:1G:1777'])
    expect(stepTask(step).shown).toContain("--tree '/t r'")
  })

  it('with a parameter that its contract does not have, or without one that it needs, is our bug', async () => {
    await expect(planStep('base/40-memory', {tree: '/t', swap: 'no'})).rejects.toMatchObject({code: 'E_BUG'})
    await expect(planStep('base/40-memory', {tmpfs: ['x']})).rejects.toMatchObject({code: 'E_BUG'})
    await expect(planStep('base/40-memory', {tree: ['/a', '/b']})).rejects.toMatchObject({code: 'E_BUG'})
  })

  it('fails with the code, the value and the hint of the step', async () => {
    const step = await planStep('disk/decrypt-partition', {data: '/no/data', header: '/h', 'key-file': '/k'})
    await expect(callStep(step)).rejects.toMatchObject({
      code: 'E_STEP_ARGUMENT',
      message: "--data: no such file: '/no/data'",
    })
  })

  it('shows its own contract with --help', async () => {
    const step = await planStep('disk/make-verity', {data: '/d', salt: 's', report: '/r'})
    const help = await callStep({...step, argv: [...step.argv.slice(0, 2), '--help']})
    expect(help).toContain('Usage: make-verity.sh --data FILE --salt TEXT --report PATH')
    expect(help).toContain('Runs in: host')
  })
})

describe('the key of a step', () => {
  const keys = async (tree: string, locale: string, timezone: string, origin = 'o') => {
    const epoch = {'source-date-epoch': 1}
    const steps = [
      await planStep('base/20-locale', {tree, locale, timezone, ...epoch}),
      await planStep('base/90-clean', {tree, ...epoch}),
    ]
    return stepKeys(steps, origin, '/work one')
  }

  it('depends on its parameters and on all that was before, not on where the work is done', async () => {
    const first = await keys('/work one/tree', 'C', 'UTC')
    expect(await keys('/tree', 'C', 'UTC')).toEqual(first)
    const other = await keys('/work one/tree', 'C', 'Europe/Berlin')
    // Before the first step they are the same.
    expect(other[0]).toBe(first[0])
    expect(other[1]).not.toBe(first[1])
    expect(other[2]).not.toBe(first[2])
    expect((await keys('/work one/tree', 'C', 'UTC', 'p'))[1]).not.toBe(first[1])
  })

  it('changes with an input', async () => {
    const key = async (input: string) =>
      stepKeys([await planStep('tree/remove', {tree: '/t'}, {inputs: [input]})], 'o', '/w')
    expect(await key('a')).not.toEqual(await key('b'))
  })
})

describe('the hash of a folder', () => {
  it('covers files whose names are not UTF-8, and tells them apart', async () => {
    const hashes = new Set<string>()
    for (const name of [[0xe4], [0xf6], [0xc3, 0xa4]]) {
      const inner = mkdtempSync(join(folder, 'ö'))
      writeFileSync(Buffer.concat([Buffer.from(`${inner}/`), Buffer.from(name)]), 'x')
      hashes.add(await hashFolder(inner))
    }
    expect(hashes.size).toBe(3)
  })
})

describe('a task', () => {
  it('keeps a log with the command', async () => {
    const logDir = join(folder, 'logs')
    mkdirSync(logDir)
    const tree = join(folder, 'tree')
    mkdirSync(tree)
    const reporter = new RecordingReporter()
    await stepTask(await planStep('tree/remove', {tree}), 'it').run({reporter, logDir})
    expect(readdirSync(folder)).toEqual(['logs'])
    expect(reporter.steps('step-done')).toEqual(['tree/remove:it'])
    expect(readdirSync(logDir)).toEqual(['tree-remove-it.log'])
  })

  it('is not run where what it makes is there', async () => {
    const task = onceTask(stepTask(await planStep('tree/remove', {tree: folder})), folder)
    const reporter = new RecordingReporter()
    await task.run({reporter, logDir: folder})
    expect(reporter.steps('step-cached')).toEqual(['tree/remove'])
    expect(readdirSync(folder)).toEqual([])
  })

  it('that fails while the disk is full says so', async () => {
    const step = await planStep('disk/make-verity', {data: '/no', salt: 's', report: '/r'})
    // A file system without any room: every sysfs is one.
    const context = {reporter: new RecordingReporter(), logDir: folder, places: ['/sys']}
    await expect(stepTask(step).run(context)).rejects.toMatchObject({code: 'E_SPACE'})
  })
})
