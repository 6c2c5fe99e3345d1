import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {runCommand} from '@oclif/test'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {parseConfig} from 'cc-core/config'

import {planHardening} from './services/hardening.js'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-hardening-'))
  writeFileSync(join(folder, 'requirements.txt'), 'six==1.16.0\n')
  writeFileSync(join(folder, 'root.key'), 'k'.repeat(32))
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})

/** The least that a manifest says. */
const manifest = (changes: object = {}) => ({
  ...{version: 1, name: 'nvflare_cc_image', stage: 'flare', tool: 't', profile: 'development'},
  ...{config: {os: {hostname: 'site-7'}}, distribution: 'debian-12', cmdline: 'c', initrd: {sealOffset: 512}},
  ...{source: {kind: 'iso', label: 'l', sha256: null}, sourceDateEpoch: 1, buildKey: 'a'.repeat(64)},
  ...{disk: {bytes: 1048576}, packages: [], artefacts: {}},
  partitions: [
    {
      ...{name: 'cc-root', start: 1048576, size: 1048576, mount: '/', encryption: 'luks2', integrity: 'none'},
      ...{key: 'development', grow: true, from: '/', content: {sha256: 'b'.repeat(64), bytes: 4096}, verity: null},
    },
  ],
  ...changes,
})

const plan = async (
  hardening: object,
  {development = true, changes = {}}: {development?: boolean; changes?: object} = {},
) => {
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest(changes)))
  const {build} = await planHardening({
    config: parseConfig({hardening}),
    ...{image: folder, rootKey: join(folder, 'root.key'), newRootKey: null, development},
    requirements: join(folder, 'requirements.txt'),
    ...{outputDir: join(folder, 'out'), workDir: join(folder, 'work'), leaveOut: [], tool: 'test'},
  })
  const [one] = build.seals
  if (one === undefined) throw new Error('nothing is sealed')
  return {...one, tree: build.tree}
}

describe('the plan', () => {
  it('seals a root that is verified and read-only, and content of the site that is encrypted as well', async () => {
    const {seal} = await plan({role: 'client'})
    const {partitions} = seal.config.layout
    expect(partitions['cc-root']).toMatchObject({integrity: 'verity', encryption: 'luks2', grow: false})
    expect(partitions['cc-ro']).toMatchObject({integrity: 'verity', encryption: 'luks2', key: 'development'})
    expect(partitions['cc-app']).toMatchObject({mount: '/vault', key: 'tee-ephemeral', grow: true})
    expect(Object.keys(partitions)).not.toContain('cc-out')
    expect(seal.config.os.hostname).toBe('site-7')
    expect(seal.config.profile).toBe('development')
    expect(seal.config.layout.esp).toBe(false)
  })

  it('has a compressed root, or ext4 where that is asked for', async () => {
    const root = async (hardening: object, changes = {}) =>
      (await plan({role: 'client', ...hardening}, {changes})).seal.config.layout.partitions['cc-root']
    expect(await root({})).toMatchObject({filesystem: 'squashfs', compressionLevel: 1})
    expect(await root({rootCompressionLevel: 19})).toMatchObject({filesystem: 'squashfs', compressionLevel: 19})
    expect(await root({rootFilesystem: 'ext4'})).toMatchObject({filesystem: 'ext4'})
  })

  it('refuses a root that the initrd of the FLARE image cannot mount', async () => {
    const changes = {config: {boot: {modules: ['virtio_blk', 'ext4']}}}
    await expect(plan({role: 'client'}, {changes})).rejects.toMatchObject({
      code: 'E_IMAGE',
      message: expect.stringContaining("has no kernel module 'squashfs'") as string,
    })
    const {seal} = await plan({role: 'client', rootFilesystem: 'ext4'}, {changes})
    expect(seal.config.layout.partitions['cc-root']?.filesystem).toBe('ext4')
  })

  it('gives a server its output where FLARE looks for it', async () => {
    const {seal} = await plan({role: 'server'})
    expect(seal.config.layout.partitions['cc-out']).toMatchObject({mount: '/mnt/data/nvflare/output'})
  })

  it('has one tree for all sites; what belongs to each is not in it', async () => {
    const [one, other] = [await plan({role: 'client', site: 'a'}), await plan({role: 'server', site: 'b'})]
    expect(one.tree.keys).toEqual(other.tree.keys)
    const words = async ({own}: typeof one) => (await own?.fill('/own'))?.argv.join(' ')
    expect(await words(one)).toContain('site=a')
    expect(await words(other)).toContain('site=b')
  })

  it('refuses a development key without --development', async () => {
    await expect(plan({role: 'client', key: 'development'}, {development: false})).rejects.toMatchObject({
      code: 'E_LAYOUT',
    })
    const config = {
      layout: {partitions: {'cc-data': {mount: '/d', size: '1M', encryption: 'luks2', key: 'development'}}},
    }
    await expect(
      plan({role: 'client', key: 'tee-derived'}, {development: false, changes: {config}}),
    ).rejects.toMatchObject({
      code: 'E_LAYOUT',
      message: expect.stringContaining("cc-data.key: 'development' protects nothing") as string,
    })
  })

  it('refuses a key broker without an address, and a kit that would be shipped in the clear', async () => {
    const production = {development: false}
    await expect(plan({role: 'client'}, production)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('kbs.url') as string,
    })
    const kit = join(folder, 'site-1')
    mkdirSync(join(kit, 'startup'), {recursive: true})
    writeFileSync(join(kit, 'startup/start.sh'), '')
    await expect(plan({role: 'client', key: 'tee-derived', startupKit: kit}, production)).rejects.toMatchObject({
      message: expect.stringContaining('shipped in the clear') as string,
    })
    const {seal} = await plan({role: 'client', key: 'tee-derived'}, production)
    expect(seal.config.profile).toBe('production')
    expect(seal.config.layout.partitions['cc-root']).toMatchObject({key: 'tee-derived', integrity: 'verity'})
  })

  it('refuses an image of another stage, and one without its key', async () => {
    await expect(plan({role: 'client'}, {changes: {stage: 'base'}})).rejects.toMatchObject({code: 'E_IMAGE'})
    rmSync(join(folder, 'root.key'))
    await expect(plan({role: 'client'})).rejects.toMatchObject({code: 'E_KEY'})
  })
})

describe('the command', () => {
  it('takes the keys of a site configuration, and the flags before them', async () => {
    const kit = join(folder, 'kit')
    mkdirSync(kit)
    writeFileSync(join(folder, 'cc.yml'), `role: server\nuser_config: {nvflare: ${kit}}\nallowed_ports: [8003]\n`)
    const {stdout} = await runCommand(['.', join(folder, 'cc.yml'), '--role', 'client', '--print-config'], {root})
    expect(stdout).toContain('role: client')
    expect(stdout).toContain(`startupKit: ${kit}`)
    expect(stdout).toContain('port: 8003')
  })

  it('says where it looked for requirements.txt', async () => {
    const {error} = await runCommand(['.', '--role', 'client', '--requirements', '/no/such/file'], {root})
    expect(error?.message).toContain("looked for '/no/such/file'")
    expect(error?.oclif?.exit).toBe(2)
  })
})
