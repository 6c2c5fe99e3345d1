import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {runCommand} from '@oclif/test'

import {parseConfig} from 'cc-core/config'
import {hostArchive} from 'cc-core/host'

import {planFlare} from './services/flare.js'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-flare-'))
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})

/** The least that a manifest says. */
const manifest = (changes: object = {}) => ({
  ...{version: 1, name: 'confidential_computing_image', stage: 'base', tool: 't', profile: 'development'},
  ...{config: {os: {hostname: 'site-7'}, layout: {partitions: {'cc-out': null}}}, distribution: 'debian-12'},
  ...{source: {kind: 'iso', label: 'l', sha256: null}, sourceDateEpoch: 1, buildKey: 'a'.repeat(64), cmdline: 'c'},
  ...{initrd: {sealOffset: 512}, disk: {bytes: 1048576}, packages: [], artefacts: {}},
  partitions: [
    {
      ...{name: 'cc-root', start: 1048576, size: 1048576, mount: '/', encryption: 'luks2', integrity: 'none'},
      ...{key: 'development', grow: true, from: '/', content: {sha256: 'b'.repeat(64), bytes: 4096}, verity: null},
    },
  ],
  ...changes,
})

const plan = (changes: object = {}, config: Record<string, unknown> = {}) => {
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest(changes)))
  return planFlare({
    // Named, so that the tests do not depend on the mirrors of the host that they run on.
    config: parseConfig({source: {mirrors: ['deb http://127.0.0.1/debian bookworm main']}, ...config}),
    ...{image: folder, rootKey: join(folder, 'manifest.json'), newRootKey: null},
    ...{outputDir: join(folder, 'out'), workDir: join(folder, 'work'), tool: 'test'},
  })
}

describe('the plan', () => {
  it('takes what the image is from the base image, and what goes into it from the configuration', async () => {
    const config = {os: {hostname: 'other'}, flare: {requirements: ['nvflare==2.8.3']}, layout: {size: '40G'}}
    const {seals, tree} = await plan({}, config)
    const sealed = seals[0]?.seal.config
    expect(sealed?.os.hostname).toBe('site-7')
    expect(Object.keys(sealed?.layout.partitions ?? {})).not.toContain('cc-out')
    expect(sealed?.layout.size).toBe(40 * 1024 ** 3)
    expect(tree.steps.find(({id}) => id === 'flare/20-nvflare')?.argv).toContain('nvflare==2.8.3')
  })

  it('changes its keys with the base image, and with the version of FLARE only from that step on', async () => {
    const first = (await plan()).tree.keys
    expect((await plan({buildKey: 'c'.repeat(64)})).tree.keys[0]).not.toBe(first[0])
    const other = (await plan({}, {flare: {requirements: ['nvflare==2.8.3']}})).tree.keys
    expect(other.map((key, index) => key === first[index])).toEqual([true, true, false, false, false, false, false])
  })

  it('asks no mirror for packages that the base image has, and names those of which the host has no mirror', async () => {
    const python = {name: 'python3', version: '3.11.2-1', architecture: 'amd64'}
    const steps = async (packages: object[]) => (await plan({packages})).tree.steps.map(({id}) => id)
    expect(await steps([python])).not.toContain('base/10-packages')
    expect(await steps([])).toContain('base/10-packages')
    const foreign = {distribution: (await hostArchive()) === 'ubuntu' ? 'debian-12' : 'ubuntu-22.04'}
    await expect(plan({...foreign, packages: [python]}, {source: {}})).resolves.toBeDefined()
    await expect(plan(foreign, {source: {}})).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining("flare.packages: 'python3' would come from the archive of") as string,
    })
  })

  it('refuses an image of another stage, none at all, and one without its key', async () => {
    await expect(plan({stage: 'flare'})).rejects.toMatchObject({code: 'E_IMAGE'})
    await expect(plan({version: 2})).rejects.toMatchObject({code: 'E_IMAGE'})
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest()))
    const options = {...{image: folder, rootKey: null, newRootKey: null}, outputDir: folder, workDir: folder, tool: 't'}
    await expect(planFlare({...options, config: parseConfig({})})).rejects.toMatchObject({code: 'E_KEY', exitCode: 4})
  })
})

describe('the command', () => {
  it('has a size of 10G unless another is asked for', async () => {
    const {stdout} = await runCommand(['.', '--print-config'], {root})
    expect(stdout).toContain('size: 10G')
    const other = await runCommand(['.', '--print-config', '--size', '20G'], {root})
    expect(other.stdout).toContain('size: 20G')
  })

  it('says that there is no image, with its exit status', async () => {
    const {error} = await runCommand(['.', '--image', '/no/such/image'], {root})
    expect(error?.oclif?.exit).toBe(4)
  })
})
