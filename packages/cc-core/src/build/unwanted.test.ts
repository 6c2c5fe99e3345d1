import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {keptGroups, readUnwanted, unwantedPackage} from './unwanted.js'

const config = (os: Record<string, unknown>, profile = 'development') => parseConfig({profile, os})

describe('readUnwanted', () => {
  it('has each word once, with a group and a reason', () => {
    const words = readUnwanted().map(({what}) => what)
    expect(new Set(words).size).toBe(words.length)
    expect(words).toEqual(expect.arrayContaining(['cloud-init*', 'snapd', 'openssh-server', 'getty.target', 'sudo']))
  })

  it('refuses a file that is not a list', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cc-unwanted-'))
    writeFileSync(join(dir, 'list'), '# only a comment\n')
    expect(() => readUnwanted(join(dir, 'list'))).toThrow('is empty')
    writeFileSync(join(dir, 'list'), 'base cloud-init\n')
    expect(() => readUnwanted(join(dir, 'list'))).toThrow("not STAGE GROUP WHAT REASON: 'base cloud-init'")
    rmSync(dir, {recursive: true})
  })
})

describe('unwantedPackage', () => {
  it.each(['cloud-init', 'cloud-initramfs-copymods', 'snapd', 'open-vm-tools:amd64', 'openssh-server=1:9.2'])(
    'finds %s',
    (name) => {
      expect(unwantedPackage(name, readUnwanted())).toBeDefined()
    },
  )

  // gcc belongs to a later stage; the others only begin or end like one that is listed.
  it.each(['gcc', 'openssh-client', 'libsnapd-glib-2-1', 'lvm2-dev', 'libc6:amd64', 'systemd'])('passes %s', (name) => {
    expect(unwantedPackage(name, readUnwanted())).toBeUndefined()
  })
})

describe('keptGroups', () => {
  it('keeps what is named, and what belongs to a package that is asked for', () => {
    expect(keptGroups(config({}))).toEqual([])
    expect(keptGroups(config({keep: ['cloud-init', 'getty']}))).toEqual(['cloud-init', 'getty'])
    expect(keptGroups(config({packages: ['openssh-server', 'jq']}))).toEqual(['ssh'])
    expect(keptGroups(config({}), [{key: 'flare.packages', name: 'lvm2'}])).toEqual(['lvm'])
  })

  it('names a group that there is not, and those that there are', () => {
    expect(() => keptGroups(config({keep: ['cloudinit']}))).toThrow("os.keep: there is no group 'cloudinit'")
  })

  it('keeps nothing in a production image, and names it', () => {
    expect(keptGroups(config({packages: ['jq']}, 'production'))).toEqual([])
    const kept = config({keep: ['cloud-init'], packages: ['openssh-server=1:9.2']}, 'production')
    expect(() => keptGroups(kept)).toThrow(
      /os\.keep: 'cloud-init' acts .*; os\.packages: 'openssh-server=1:9\.2' lets in whoever has a key/,
    )
    expect(() => keptGroups(config({}, 'production'), [{key: 'flare.packages', name: 'snapd'}])).toThrow(
      "flare.packages: 'snapd'",
    )
  })
})
