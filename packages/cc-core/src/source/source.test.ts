import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {describeIso, inspectIso, layerStack, parseCatalog, parseDiskInfo, selectSource} from './index.js'

const noble = 'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)'
/** As field-tested media have it: keys sorted, flow mappings, unknown descriptive keys. */
const catalog = `- description: {en: 'This version has been customized to have a small runtime footprint.'}
  id: ubuntu-server-minimal
  locale_support: none
  name: {en: Ubuntu Server (minimized)}
  path: ubuntu-server-minimal.squashfs
  size: 530485248
  type: fsimage
  variant: server
- default: true
  description: {en: The default install.}
  id: ubuntu-server
  locale_support: locale-only
  name: {en: Ubuntu Server}
  path: ubuntu-server-minimal.ubuntu-server.squashfs
  size: 1066115072
  type: fsimage-layered
  variant: server
`
const parsed = [
  {
    id: 'ubuntu-server-minimal',
    default: false,
    type: 'fsimage',
    layers: ['ubuntu-server-minimal.squashfs'],
    sizeBytes: 530485248,
  },
  {
    id: 'ubuntu-server',
    default: true,
    type: 'fsimage-layered',
    layers: ['ubuntu-server-minimal.squashfs', 'ubuntu-server-minimal.ubuntu-server.squashfs'],
    sizeBytes: 1066115072,
  },
]
const found = {
  label: 'Ubuntu-Server 24.04.1 LTS amd64',
  info: noble,
  catalog,
  files: {'ubuntu-server-minimal.squashfs': 5, 'ubuntu-server-minimal.ubuntu-server.squashfs': 6},
  dists: ['noble'],
}
const isoKind = (message: string | RegExp): unknown =>
  expect.objectContaining({code: 'E_ISO_KIND', exitCode: 4, message: expect.stringMatching(message) as string})

describe('parseDiskInfo', () => {
  it.each([
    [noble, 'ubuntu', '24.04.1', 'noble', 'ubuntu-24.04'],
    ['Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (20240423)', 'ubuntu', '24.04', 'noble', 'ubuntu-24.04'],
    [
      'Ubuntu-Server 22.04.5 LTS "Jammy Jellyfish" - Release amd64 (20240911)',
      'ubuntu',
      '22.04.5',
      'jammy',
      'ubuntu-22.04',
    ],
    [
      'Ubuntu-Server 24.04.3 LTS "Noble Numbat" - Daily amd64 (20250805.1)',
      'ubuntu',
      '24.04.3',
      'noble',
      'ubuntu-24.04',
    ],
    ['Debian-Standin-Server 12 "Bookworm" - Release amd64 (20261124)', 'debian', '12', 'bookworm', 'debian-12'],
    ['Debian-Standin-Server 13 "Trixie" - Release amd64 (20261124)', 'debian', '13', 'trixie', 'debian-13'],
  ])('reads %s', (info, os, release, codename, profileId) => {
    expect(parseDiskInfo(info)).toEqual({os, release, codename, profileId})
  })

  it.each([
    [
      'a desktop',
      'Ubuntu 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827.1)',
      '"Ubuntu 24.04.1" is not supported',
    ],
    [
      'another release',
      'Ubuntu-Server 24.10 "Oracular Oriole" - Release amd64 (20241007.1)',
      '24.10" is not supported',
    ],
    [
      'a longer number',
      'Ubuntu-Server 24.041 LTS "Noble Numbat" - Release amd64 (20240827)',
      '24.041" is not supported',
    ],
    [
      'another machine',
      'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release arm64 (20240827)',
      '"arm64", not for amd64',
    ],
    ['another name', 'Ubuntu-Server 24.04.1 LTS "Jammy Jellyfish" - Release amd64 (20240827)', '24.04.1 is noble'],
    ['the real Debian', 'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST', 'no server medium of Ubuntu'],
    ['nothing', '', 'reads ""'],
    ['two lines', `${noble}\nx`, 'no server medium'],
    ['an endless text', 'x'.repeat(1_000_000), /x{120}…/],
    ['an escape sequence', '\u001b[2J', String.raw`"\\u001b\[2J"`],
  ])('refuses %s', (_, info, message) => {
    expect(() => parseDiskInfo(info)).toThrow(isoKind(message))
  })
})

describe('layerStack', () => {
  it('splits the name on dots, as curtin does', () => {
    expect(layerStack('a.b.c.squashfs')).toEqual(['a.squashfs', 'a.b.squashfs', 'a.b.c.squashfs'])
    expect(layerStack('a.squashfs')).toEqual(['a.squashfs'])
  })
})

describe('parseCatalog', () => {
  const entries = (count: number, changes: Record<string, unknown> = {}) =>
    JSON.stringify(
      Array.from({length: count}, (_, index) => ({
        id: `a${index}`,
        path: 'a.squashfs',
        size: 1,
        type: 'fsimage',
        ...changes,
      })),
    )
  const entry = (changes: Record<string, unknown>) => entries(1, changes)

  it('reads the list form and the dict form alike', () => {
    expect(parseCatalog(catalog)).toEqual(parsed)
    const dict = `version: 2\nkernel: {default: linux-generic}\nsources:\n${catalog}`
    expect(parseCatalog(dict)).toEqual(parsed)
  })

  it('takes the first source where none is the default', () => {
    expect(parseCatalog(catalog.replace('default: true', 'default: false')).map((source) => source.default)).toEqual([
      true,
      false,
    ])
  })

  it('does not stack the single image of a name with dots', () => {
    expect(parseCatalog(entry({path: 'a.b.squashfs'}))[0]?.layers).toEqual(['a.b.squashfs'])
  })

  it.each([
    ['a path that leads out', entry({path: '../../etc/shadow.squashfs'}), '0.path: not the name of a squashfs file'],
    ['a path in another folder', entry({path: 'x/a.squashfs'}), '0.path'],
    ['an absolute path', entry({path: '/a.squashfs'}), '0.path'],
    ['an empty label', entry({path: 'a..squashfs'}), '0.path'],
    ['a hidden file', entry({path: '.squashfs'}), '0.path'],
    ['an option', entry({path: 'a.squashfs\n--help'}), '0.path'],
    ['no squashfs', entry({path: 'a.img'}), '0.path'],
    ['no path', entry({path: undefined}), '0.path'],
    ['another type', entry({type: 'dd-image'}), '0.type'],
    ['a size that is a text', entry({size: '1'}), '0.size'],
    ['a negative size', entry({size: -1}), '0.size'],
    ['a size beyond numbers', entry({size: 1e300}), '0.size'],
    ['an id with a slash', entry({id: 'a/b'}), '0.id'],
    ['an empty id', entry({id: ''}), '0.id'],
    [
      'the same id twice',
      catalog.replace('id: ubuntu-server-minimal', 'id: ubuntu-server'),
      'the id "ubuntu-server" twice',
    ],
    ['two defaults', catalog.replace('locale_support: none', 'default: true'), '2 defaults'],
    ['an empty file', '', 'the document'],
    ['an empty list', '[]', 'the document'],
    ['a text', 'hello', 'the document'],
    ['a newer dict form', 'version: 3\nsources: []', 'version'],
    ['an unknown key of the dict form', `version: 1\nextra: 1\nsources: ${entry({})}`, 'extra'],
    ['the same key twice', '- id: a\n  id: b', 'not YAML'],
    ['broken YAML', '- {id: ', 'not YAML'],
    ['two documents', '[]\n---\n[]', 'not YAML'],
    ['endless entries', entries(65), 'the document'],
    ['an endless file', `# ${'x'.repeat(1 << 20)}\n${catalog}`, 'bytes'],
    [
      'aliases that explode',
      Array.from({length: 30}, (_, index) => `- &a${index} [${index ? `*a${index - 1},`.repeat(9) : 'x'}]`).join('\n'),
      'not YAML: Excessive alias',
    ],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseCatalog(text)).toThrow(isoKind(message))
  })
})

describe('describeIso', () => {
  it('puts what was found together', () => {
    expect(describeIso('/x.iso', found)).toEqual({
      path: '/x.iso',
      label: found.label,
      os: 'ubuntu',
      release: '24.04.1',
      codename: 'noble',
      profileId: 'ubuntu-24.04',
      sources: parsed,
    })
  })

  it.each([
    ['the index of another release', {dists: ['jammy']}, 'says noble, but dists has jammy'],
    ['no index', {dists: []}, 'dists has nothing'],
    [
      'a lower layer that is missing',
      {files: {'ubuntu-server-minimal.ubuntu-server.squashfs': 6}},
      'casper/ubuntu-server-minimal.squashfs',
    ],
    [
      'an empty layer',
      {files: {...found.files, 'ubuntu-server-minimal.ubuntu-server.squashfs': 0}},
      'minimal.ubuntu-server.squashfs',
    ],
  ])('refuses %s', (_, changes, message) => {
    expect(() => describeIso('/x.iso', {...found, ...changes})).toThrow(isoKind(message))
  })
})

describe('selectSource', () => {
  it('finds the default, or the one with an id', () => {
    const iso = describeIso('/x.iso', found)
    expect(selectSource(iso, null).id).toBe('ubuntu-server')
    expect(selectSource(iso, 'ubuntu-server-minimal').id).toBe('ubuntu-server-minimal')
    expect(() => selectSource(iso, 'desktop')).toThrow(
      expect.objectContaining({code: 'E_CONFIG', suggestions: ['one of: ubuntu-server-minimal, ubuntu-server']}),
    )
  })
})

describe('inspectIso', () => {
  let dir: string
  let iso: string

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'cc-source-'))
    iso = join(dir, 'x.iso')
    const files = {
      '.disk/info': noble,
      'casper/install-sources.yaml': catalog,
      'casper/ubuntu-server-minimal.squashfs': 'lower',
      'casper/ubuntu-server-minimal.ubuntu-server.squashfs': 'upper!',
      'dists/noble/Release': '',
    }
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(dir, 'root', name, '..'), {recursive: true})
      writeFileSync(join(dir, 'root', name), content)
    }
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-r', '-V', found.label, '-o', iso, join(dir, 'root')], {
      stdio: 'ignore',
    })
  })
  afterAll(() => {
    rmSync(dir, {recursive: true})
  })

  it('reads a real ISO', async () => {
    await expect(inspectIso(iso)).resolves.toEqual(describeIso(iso, found))
  })

  it('checks the sha256 and the list of sums', async () => {
    const sum = execFileSync('sha256sum', [iso]).toString().slice(0, 64)
    const sums = join(dir, 'SHA256SUMS')
    writeFileSync(sums, `${sum} *x.iso\n`)
    await expect(inspectIso(iso, {sha256: sum, sha256sums: sums})).resolves.toMatchObject({
      codename: 'noble',
    })
    const wrong = '0'.repeat(64)
    await expect(inspectIso(iso, {sha256: wrong})).rejects.toMatchObject({
      code: 'E_SHA256',
      exitCode: 4,
      message: expect.stringContaining(`is ${sum}, not ${wrong}`) as string,
    })
    writeFileSync(sums, `${wrong} *x.iso\n`)
    await expect(inspectIso(iso, {sha256sums: sums})).rejects.toMatchObject({code: 'E_SHA256'})
  })

  it('refuses a signature that signs nothing, and one that is none', async () => {
    await expect(inspectIso(iso, {signature: iso})).rejects.toMatchObject({code: 'E_CONFIG'})
    const sums = join(dir, 'SHA256SUMS')
    const options = {sha256sums: sums, signature: iso, keyring: iso}
    await expect(inspectIso(iso, options)).rejects.toMatchObject({code: 'E_SIGNATURE'})
  })

  it('names a missing and a truncated ISO', async () => {
    await expect(inspectIso(join(dir, 'none.iso'))).rejects.toMatchObject({code: 'E_ISO_MISSING'})
    const short = join(dir, 'short.iso')
    execFileSync('cp', [iso, short])
    truncateSync(short, 100_000)
    await expect(inspectIso(short)).rejects.toMatchObject({code: 'E_ISO_TRUNCATED'})
  })
})
