import {loadConfig} from 'cc-core/config'
import {profileOfHost, profiles} from 'cc-core/distro'
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {planInstall} from './install.js'
import {missingPackages, planSupply} from './supply.js'

const host = profileOfHost(readFileSync('/etc/os-release', 'utf8'))
const other = Object.values(profiles).find(({os}) => os !== host.os) ?? host
/** The minimized source of 22.04: nftables and locales are in neither place. */
const minimal = {pool: new Set(['linux-generic', 'zstd']), installed: new Set(['udev', 'libc6'])}
const wanted = ['udev', 'zstd', 'nftables', 'locales', 'linux-generic']

describe('missingPackages', () => {
  it('knows names with a version, a release or an architecture', () => {
    expect(missingPackages(minimal, ['zstd=1.4', 'udev/jammy', 'libc6:amd64'])).toEqual([])
    expect(missingPackages(minimal, ['nftables=1.0', 'locales'])).toEqual(['nftables=1.0', 'locales'])
  })

  it('leaves it to apt where the ISO does not say what is installed', () => {
    expect(missingPackages({...minimal, installed: null}, wanted)).toEqual([])
  })
})

describe('planSupply', () => {
  const supply = (profile = other, iso: typeof minimal | null = minimal, ...sets: string[]) =>
    planSupply(loadConfig(null, sets), profile, iso, wanted)

  it('names what nobody has, and which sources would', async () => {
    await expect(supply(other, minimal, 'source.installSource=ubuntu-server-minimal')).rejects.toMatchObject({
      code: 'E_PACKAGE',
      message: "neither the source 'ubuntu-server-minimal' of the ISO nor its pool has 'nftables', 'locales'",
      suggestions: [
        expect.stringContaining(`name a mirror of ${other.id}: source.mirrors`) as string,
        expect.stringContaining('source.installSource') as string,
      ],
    })
  })

  it('asks the mirrors of a host of the same kind, and no others', async () => {
    await expect(supply(host)).resolves.toBe(true)
    await expect(supply(other, null)).resolves.toBe(true)
    await expect(supply(other, minimal, 'nvidia.enabled=true')).resolves.toBe(true)
    await expect(supply(other, minimal, 'source.mirrors=["deb http://mirror.invalid x main"]')).resolves.toBe(false)
  })

  it('stays with the ISO where it has everything', async () => {
    const pool = new Set([...minimal.pool, 'nftables', 'locales'])
    await expect(supply(host, {...minimal, pool})).resolves.toBe(false)
    const installed = new Set([...minimal.installed, 'nftables', 'locales'])
    await expect(supply(other, {...minimal, installed})).resolves.toBe(false)
  })
})

describe('a mirror build of a distribution that this host is not of', () => {
  const planned = async (id: string, ...sets: string[]) => {
    const root = mkdtempSync(join(tmpdir(), 'cc-supply-'))
    const folders = {outputDir: join(root, 'build'), workDir: join(root, 'work')}
    try {
      await planInstall({
        config: loadConfig(null, [`distribution=${id}`, ...sets]),
        ...folders,
        tool: 'x',
        rootKey: null,
      })
    } finally {
      expect(Object.values(folders).filter((folder) => existsSync(folder))).toEqual([])
      rmSync(root, {recursive: true})
    }
  }

  it.each(Object.values(profiles).filter(({os}) => os !== host.os))(
    'is refused for $id, naming whose mirrors there are',
    async ({id, os}) => {
      await expect(planned(id)).rejects.toMatchObject({
        code: 'E_CONFIG',
        message: `distribution: without an ISO, ${id} comes from the archive of ${os}, and the mirrors of this host are those of ${host.os}`,
        suggestions: [`name a mirror of ${id}: source.mirrors`, `or give the ISO of ${id}: --iso`],
      })
    },
  )

  it('is planned with mirrors of its own, and for each release of the host’s own distribution', async () => {
    await expect(planned(other.id, 'source.mirrors=["deb http://mirror.invalid x main"]')).resolves.toBeUndefined()
    for (const {id, os} of Object.values(profiles)) if (os === host.os) await planned(id)
  })
})
