import {loadConfig} from 'cc-core/config'
import {profileOfHost, profiles} from 'cc-core/distro'
import {readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'

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
