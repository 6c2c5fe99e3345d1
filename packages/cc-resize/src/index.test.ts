import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {runCommand} from '@oclif/test'
import {afterEach, describe, expect, it} from 'vitest'

import Resize from './index.js'

const run = (...args: string[]) => runCommand(['.', ...args], import.meta.url)

afterEach(() => {
  process.exitCode = undefined
})

describe('cc-resize', () => {
  it.each(['10GX', '0', '1.5G', 'ten'])('refuses the size %s', async (size) => {
    const {stderr, error} = await run('--image', '/none', '--size', size)
    expect(stderr).toContain(`error[E_USAGE]: --size: expected a size such as 10G or 512M, got '${size}'`)
    expect(error?.oclif?.exit).toBe(2)
  })

  it('refuses bytes that are no whole MiB, and names what would do', async () => {
    const {stderr, error} = await run('--image', '/none', '--size', '10000000')
    expect(stderr).toContain('error[E_SIZE]: the size of a disk is a multiple of 1M, got 10000000\n  try: 9M or 10M')
    expect(error?.oclif?.exit).toBe(2)
  })

  it('needs an image', async () => {
    const {stderr, error} = await run('--size', '10G')
    expect(stderr).toContain('Missing required flag image')
    expect(error?.oclif?.exit).toBe(2)
  })

  it.each([['--dry-run'], []])('names the place where no image is %s', async (...words) => {
    const folder = mkdtempSync(join(tmpdir(), 'cc-resize-'))
    const {stderr, error} = await run('--image', folder, ...words)
    rmSync(folder, {recursive: true})
    expect(stderr).toContain(`error[E_IMAGE]: there is no image at '${folder}'`)
    expect(error?.oclif?.exit).toBe(4)
  })

  it('tells an error as JSON, too', async () => {
    const {stdout} = await run('--image', '/none', '--json')
    expect(JSON.parse(stdout)).toMatchObject({error: {code: 'E_IMAGE', exitCode: 4}})
  })

  it('has the flags that others script against, each with a summary, and examples', () => {
    const flags = {...Resize.baseFlags, ...Resize.flags}
    expect(Object.keys(flags).sort()).toEqual(['dry-run', 'image', 'size', 'verbose'])
    for (const [name, flag] of Object.entries(flags)) expect(flag.summary, name).toMatch(/^[A-Z].*\.$/)
    expect(Resize.flags.size.default).toBe('10G')
    expect(Resize.enableJsonFlag).toBe(true)
    expect(Resize.examples.length).toBeGreaterThan(2)
  })
})
