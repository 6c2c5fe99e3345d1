import {resolve} from 'node:path'

import {runCommand} from '@oclif/test'
import {afterEach, describe, expect, it} from 'vitest'

import Installer from './index.js'

const run = (...args: string[]) => runCommand(['.', ...args], import.meta.url)

afterEach(() => {
  process.exitCode = undefined
})

describe('cc-image-installer', () => {
  it('takes the ISO from the working directory, over the configuration', async () => {
    const {stdout, error} = await run('--print-config', '--set', 'source.iso=/other.iso', '--iso', 'some/u.iso')
    expect(error).toBeUndefined()
    expect(stdout).toContain(`  iso: ${resolve('some/u.iso')}\n`)
  })

  it('refuses a hash that is none', async () => {
    const {stderr, error} = await run('--iso-sha256', 'abc')
    expect(stderr).toContain("source.isoSha256: expected 64 lower-case hexadecimal digits, got 'abc'")
    expect(error?.oclif?.exit).toBe(2)
  })

  it('has the flags that others script against, each with a summary, and examples', () => {
    const flags = {...Installer.baseFlags, ...Installer.flags}
    const stable = ['iso', 'iso-sha256', 'config', 'set', 'output', 'work-dir', 'dry-run', 'print-config', 'verbose']
    expect(Object.keys(flags)).toEqual(expect.arrayContaining(stable))
    for (const [name, flag] of Object.entries(flags)) expect(flag.summary, name).toMatch(/^[A-Z].*\.$/)
    expect(Installer.enableJsonFlag).toBe(true)
    expect(Installer.examples.length).toBeGreaterThan(2)
  })
})
