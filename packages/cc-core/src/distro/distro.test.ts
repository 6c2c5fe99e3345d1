import {describe, expect, it} from 'vitest'

import {distributions} from '../config/index.js'
import {archiveOfHost, profileByCodename, profileOfHost, profiles} from './index.js'

describe('profiles', () => {
  it.each(distributions)('%s is consistent', (id) => {
    const profile = profiles[id]
    expect(profile.id).toBe(`${profile.os}-${profile.release}`)
    expect(Object.values(profile.kernelPackages)).toContain(profile.defaultKernel)
    expect(profile.archiveKeyring).toBe(`/usr/share/keyrings/${profile.os}-archive-keyring.gpg`)
    expect(new Set(profile.basePackages).size).toBe(profile.basePackages.length)
    expect(profile.basePackages).toEqual(
      expect.arrayContaining(['systemd-sysv', 'initramfs-tools', 'cryptsetup-bin', 'nftables']),
    )
    expect(profileByCodename(profile.codename)).toBe(profile)
  })

  it('has the HWE kernel of its own release', () => {
    for (const {os, release, kernelPackages} of Object.values(profiles)) {
      expect(kernelPackages.hwe).toBe(os === 'ubuntu' ? `linux-generic-hwe-${release}` : undefined)
    }
  })

  it.each(distributions)('%s makes locales and adds no translations, as the server installer does', (id) => {
    expect(profiles[id].localePackages('de_DE.UTF-8')).toEqual(['locales'])
    expect(profiles[id].localePackages('C.UTF-8')).toEqual(['locales'])
  })
})

describe('profileOfHost', () => {
  it('reads os-release as systems write it', () => {
    expect(profileOfHost('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n').id).toBe('debian-12')
    expect(profileOfHost('VERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n').id).toBe('ubuntu-24.04')
  })

  it('names a host that is not supported', () => {
    expect(() => profileOfHost('ID=fedora\nVERSION_ID=42\n')).toThrow("'fedora-42' is not supported")
  })
})

describe('archiveOfHost', () => {
  it.each([
    ['ID=debian\nVERSION_CODENAME=trixie\n', 'debian'],
    ['ID="ubuntu"\nUBUNTU_CODENAME=noble\n', 'ubuntu'],
    ['ID=linuxmint\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=xia\n', 'ubuntu'],
    ['ID=lmde\nDEBIAN_CODENAME=bookworm\n', 'debian'],
    ['ID=fedora\nVERSION_ID=42\n', null],
    ['', null],
  ])('of %j is %s', (osRelease, archive) => {
    expect(archiveOfHost(osRelease)).toBe(archive)
  })
})
