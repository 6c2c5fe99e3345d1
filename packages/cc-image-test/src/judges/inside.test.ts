import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {scriptsDirectory} from 'cc-core/steps'
import {expect, it} from 'vitest'

import {duties, keptRules, sysctls} from './inside.js'

const guest = join(scriptsDirectory(), 'guest')

it('reads back every switch that the duty sets, and takes its value; one may be absent only where the duty allows it', () => {
  const lines = readFileSync(join(guest, 'hardening/etc/sysctl.conf'), 'utf8').split('\n')
  const set = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(/ = /))
  expect(set.length).toBeGreaterThan(30)
  for (const [text = '', value = ''] of set) {
    const key = text.replace(/^-/, '')
    expect(sysctls[key]?.[0], key).toBe(value)
    if (!text.startsWith('-')) expect(sysctls[key], key).not.toContain('absent')
  }
})

it('knows every duty that writes down that it came to its end', () => {
  const called = readFileSync(join(guest, 'opt-flare/system_hardening.sh'), 'utf8')
  const list = /for duty in ([^;]*);/.exec(called)?.[1]?.split(' ') ?? []
  expect([...duties].sort()).toEqual(
    [...list.map((name) => name.replace('.sh', '')), 'data_mounts', 'lock_modules'].sort(),
  )
  for (const duty of duties)
    expect(
      readFileSync(join(guest, `opt-flare/${duty}.sh`), 'utf8')
        .trimEnd()
        .split('\n')
        .at(-1),
    ).toBe(`fulfilled ${duty}`)
})

it('knows the rules of udev that an image keeps', () => {
  const kept = readFileSync(join(guest, 'initramfs/kept-rules'), 'utf8').trimEnd().split('\n')
  expect([...keptRules]).toEqual(kept)
})
