import {loadConfig} from 'cc-core/config'
import {profiles, type DistroProfile} from 'cc-core/distro'
import {describe, expect, it} from 'vitest'

import {chooseKernel} from './kernel.js'

const jammy = profiles['ubuntu-22.04']
/** 22.04 and 22.04.1 have the kernel of the release alone; later point releases have both. */
const first = {pool: new Set(['linux-generic']), installed: null}
const later = {pool: new Set(['linux-generic', 'linux-generic-hwe-22.04']), installed: null}
const mirror = 'source.mirrors=["deb http://mirror.invalid jammy main"]'

const choose = (profile: DistroProfile, iso: typeof first | null, ...sets: string[]) =>
  chooseKernel(loadConfig(null, sets), profile, iso)
/** Production wants key sources that this test is not about, so that profile is set behind the loading. */
const inProduction = (profile: DistroProfile, iso: typeof first | null, ...sets: string[]) =>
  chooseKernel({...loadConfig(null, sets), profile: 'production'}, profile, iso)

describe('chooseKernel of ubuntu-22.04', () => {
  it.each([
    ['the pool', later, []],
    ['a configured mirror', first, [mirror]],
    ['the mirrors of a mirror build', null, []],
    ['the archive that a driver comes from', first, ['nvidia.enabled=true']],
  ])('takes the HWE kernel from %s', (_, iso, sets) => {
    const expected = {package: 'linux-generic-hwe-22.04', warnings: []}
    expect(choose(jammy, iso, ...sets)).toEqual(expected)
    expect(inProduction(jammy, iso, ...sets)).toEqual(expected)
  })

  it('falls back to the kernel of the release and says what that means', () => {
    expect(choose(jammy, first)).toEqual({
      package: 'linux-generic',
      warnings: [
        "the kernel 'linux-generic' of ubuntu-22.04 cannot run as an SNP guest; this ISO has no 'linux-generic-hwe-22.04': " +
          'take a later point release, or name a mirror: source.mirrors',
      ],
    })
  })

  it('refuses that in production, with the way out', () => {
    expect(() => inProduction(jammy, first)).toThrow(
      expect.objectContaining({
        code: 'E_CONFIG',
        message:
          "os.kernel: 'linux-generic' of ubuntu-22.04 cannot run as an SNP guest, and profile 'production' refuses it",
        suggestions: [expect.stringContaining("this ISO has no 'linux-generic-hwe-22.04'") as string],
      }),
    )
  })

  it.each(['linux-generic', 'linux-virtual', 'linux-image-generic'])(
    'judges %s by name where it is configured',
    (name) => {
      expect(choose(jammy, later, `os.kernel=${name}`)).toMatchObject({package: name, warnings: [expect.any(String)]})
      expect(() => inProduction(jammy, later, `os.kernel=${name}`)).toThrow(
        expect.objectContaining({code: 'E_CONFIG', suggestions: ['set os.kernel to linux-generic-hwe-22.04']}),
      )
    },
  )

  it('does not judge a kernel that it does not know', () => {
    expect(inProduction(jammy, first, 'os.kernel=linux-image-oem')).toEqual({package: 'linux-image-oem', warnings: []})
  })
})

describe('chooseKernel of the others', () => {
  it.each(['ubuntu-24.04', 'debian-12', 'debian-13'] as const)('%s has one default, in production too', (id) => {
    const profile = profiles[id]
    expect(inProduction(profile, {pool: new Set(), installed: null})).toEqual({
      package: profile.defaultKernel,
      warnings: [],
    })
  })
})
