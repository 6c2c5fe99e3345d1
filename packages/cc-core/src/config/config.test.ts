import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import fc from 'fast-check'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {CcError} from '../errors/index.js'
import {
  configJsonSchema,
  configReference,
  configSchema,
  encodeImageConfig,
  formatSize,
  loadConfig,
  parseConfig,
  parseSize,
  printConfig,
  referenceRows,
} from './index.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-config-'))
})
afterEach(() => {
  rmSync(dir, {recursive: true})
})

function file(text: string): string {
  const path = join(dir, 'cc.yaml')
  writeFileSync(path, text)
  return path
}

function refusal(sets: string[], text = ''): CcError {
  try {
    loadConfig(file(text), sets)
  } catch (error) {
    if (CcError.is(error)) return error
  }
  throw new Error('was not refused')
}

describe('sizes', () => {
  it('are powers of 1024, or bytes', () => {
    expect(['1', '4K', '512M', '10G', '2T'].map(parseSize)).toEqual([1, 4096, 2 ** 29, 10 * 2 ** 30, 2 ** 41])
    expect(
      ['', '0', '12X', '1.5G', '-1', ' 1', '1  G', '1Gi', '1iB', '1GBB', '1e3', '0x10', '99999999999T'].map(parseSize),
    ).toEqual(Array(13).fill(null))
    const written = ['20G', '20g', '20GB', '20gb', '20GiB', '20 GiB', '20 G', String(20 * 2 ** 30), `${20 * 2 ** 30}B`]
    expect(written.map(parseSize)).toEqual(Array(written.length).fill(20 * 2 ** 30))
  })

  it('are printed as they are read', () => {
    fc.assert(
      fc.property(fc.integer({min: 1, max: Number.MAX_SAFE_INTEGER}), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes)
      }),
    )
    expect(formatSize(10 * 2 ** 30)).toBe('10G')
  })
})

describe('loadConfig', () => {
  it('has the documented defaults', () => {
    const config = loadConfig(null)
    expect(config).toMatchObject({
      profile: 'development',
      distribution: 'auto',
      os: {hostname: 'cc', locale: 'en_US.UTF-8', timezone: 'UTC', user: {name: 'cc', uid: 1000}},
      layout: {size: null},
    })
    expect(Object.keys(config.layout.partitions)).toEqual(['cc-root', 'cc-app', 'cc-ro', 'cc-out'])
    expect(config.layout.partitions['cc-app']).toMatchObject({size: 256 * 2 ** 20, key: 'tee-ephemeral', grow: false})
  })

  it('takes settings over the file over the defaults, and only what they name', () => {
    const path = file('os: {hostname: one, timezone: Europe/Berlin}\nlayout: {partitions: {cc-app: {size: 1G}}}\n')
    const config = loadConfig(path, ['os.hostname=two', 'layout.partitions.cc-app.mount=/mnt/x', 'os.packages=[htop]'])
    expect(config.os).toMatchObject({
      hostname: 'two',
      timezone: 'Europe/Berlin',
      locale: 'en_US.UTF-8',
      packages: ['htop'],
    })
    expect(config.layout.partitions['cc-app']).toMatchObject({size: 2 ** 30, mount: '/mnt/x', key: 'tee-ephemeral'})
  })

  it('reads a setting as YAML', () => {
    expect(loadConfig(null, ['layout.size=1048576']).layout.size).toBe(1048576)
    expect(loadConfig(null, ['layout.size=20G', 'layout.size=null']).layout.size).toBeNull()
    expect(loadConfig(null, ['boot.cmdline=[a=b]']).boot.cmdline).toEqual(['a=b'])
  })

  it('adds partitions, and takes default ones away', () => {
    const {partitions} = loadConfig(null, [
      'layout.partitions.cc-data={mount: /data, size: 1G}',
      'layout.partitions.cc-out=null',
    ]).layout
    expect(Object.keys(partitions)).toEqual(['cc-root', 'cc-app', 'cc-ro', 'cc-data'])
  })

  it('drops the default key source with the encryption that it belonged to', () => {
    const {partitions} = loadConfig(null, ['layout.partitions.cc-out.encryption=none']).layout
    expect(partitions['cc-out']).toMatchObject({encryption: 'none', key: null, keyFile: null, size: 128 * 2 ** 20})
  })

  it('takes paths from the directory of the file, in settings from the working directory', () => {
    const path = file('source: {iso: in/a.iso, keyring: /k.gpg, mirrors: [own.sources, "deb mirror trixie main"]}\n')
    expect(loadConfig(path, ['source.sha256sums=sums'], '/cwd').source).toMatchObject({
      iso: join(dir, 'in/a.iso'),
      keyring: '/k.gpg',
      sha256sums: '/cwd/sums',
      mirrors: [join(dir, 'own.sources'), 'deb mirror trixie main'],
    })
  })

  it('names every problem at once, each with its path and the wrong value', () => {
    const error = refusal([
      'layout.partitions.cc-app.size=12X',
      'layout.partitions.cc-new.size=1G',
      'layout.partitions.Bad.mount=/x',
      'profile=fast',
      'os.user.uid=5',
      'foo=1',
    ])
    expect(error).toMatchObject({code: 'E_CONFIG', exitCode: 2})
    expect(error.message.split('; ')).toEqual([
      "profile: expected development | production, got 'fast'",
      'os.user.uid: expected 1000 to 59999, got 5',
      expect.stringMatching(/^layout\.partitions\.cc-app\.size: expected a size like 512M.*, got '12X'$/),
      'layout.partitions.cc-new.mount: is required',
      expect.stringMatching(/^layout\.partitions\.Bad: expected a name like cc-data.*, got 'Bad'$/),
      `foo: unknown key (known: ${Object.keys(configSchema.shape).join(', ')})`,
    ])
  })

  it.each([
    ['os.hostnam=x', 'os.hostnam: unknown key (known: hostname,'],
    ['os.user=5', 'os.user: expected object, got 5'],
    ['layout=5', 'layout: expected object, got 5'],
    ['layout.partitions=[]', 'layout.partitions: expected object, got []'],
    ['layout.partitions.cc-ro=x', "layout.partitions.cc-ro: expected object, got 'x'"],
    ['source.iso=5', 'source.iso: expected string, got 5; in quotes it is a text: "5"'],
    ['nvidia.version=550.163', 'nvidia.version: expected string, got 550.163; in quotes it is a text: "550.163"'],
    ['nvidia.version=550.90', 'nvidia.version: expected string, got 550.90; in quotes it is a text: "550.90"'],
    [
      'os.files=[{path: /x, from: /y, mode: 0600}]',
      'os.files.0.mode: expected string, got 0600; in quotes it is a text: "0600"',
    ],
    ['layout.esp=yes', "layout.esp: expected boolean, got 'yes'; write true or false, without quotes"],
    ['launch.policy=-1', 'launch.policy: expected a guest policy as a whole number of at most 64 bits'],
    ['launch.policy=0x3g', "like 0x30000 or 196608, got '0x3g'"],
    ['launch.policy=0x10000000000000000', 'a number this large needs quotes'],
    ['launch.policy="0x10000000000000000"', 'launch.policy: expected a guest policy'],
    ['launch.guestFeatures=1.5', 'launch.guestFeatures: expected SEV_FEATURES'],
    ['source.isoSha256=abc', 'source.isoSha256: expected 64 lower-case'],
    ['os.hostname="a\\nb"', 'os.hostname: expected a host name'],
    ['os.packages=["a; rm"]', 'os.packages.0: expected a package name'],
    ['boot.cmdline=["a b"]', 'boot.cmdline.0: expected one kernel parameter'],
    ['layout.partitions.cc-app.mount=/mnt/../etc', 'layout.partitions.cc-app.mount: expected an absolute path'],
    ['layout.size=0', 'layout.size: expected a size'],
  ])('refuses %s', (set, message) => {
    expect(refusal([set]).message).toContain(message)
  })

  it.each(['0x30000', '"0x30000"', '0X30000', '196608', '"196608"', '0x00030000'])('takes a bit mask as %s', (text) => {
    expect(loadConfig(null, [`launch.policy=${text}`]).launch.policy).toBe('0x30000')
    expect(loadConfig(file(`launch: {policy: ${text}}`)).launch.policy).toBe('0x30000')
  })

  it('says how a number in the file is written', () => {
    const text = 'os:\n  files:\n    - {path: /x, from: y, mode: 0600}\n'
    expect(refusal([], text).message).toContain(
      'os.files.0.mode: expected string, got 0600; in quotes it is a text: "0600"',
    )
  })

  it('says what is wrong with the file or the setting itself', () => {
    expect(() => loadConfig(join(dir, 'missing.yaml'))).toThrow(
      `cannot read the configuration file '${dir}/missing.yaml'`,
    )
    expect(refusal([], 'a: [').message).toMatch(/cc\.yaml is not YAML: .* line 1/s)
    expect(refusal([], '- a').message).toContain('expected keys and values')
    expect(refusal([], 'profile: production\nprofile: development\n').message).toContain('unique')
    expect(refusal(['no-equals'])).toMatchObject({
      code: 'E_USAGE',
      message: "--set: expected KEY.KEY=VALUE, got 'no-equals'",
    })
    expect(refusal(['a.__proto__.x=1']).message).toContain('unknown key')
  })
})

describe('printConfig', () => {
  it('prints what loadConfig reads back as the same', () => {
    const config = loadConfig(null, [
      'layout.partitions.cc-data={mount: /data, size: 1000001}',
      'layout.size=20G',
      'layout.partitions.cc-out=null',
    ])
    const printed = printConfig(config)
    expect(printed).toContain('size: 20G')
    const again = loadConfig(file(printed), ['layout.partitions.cc-out=null'])
    expect(again).toEqual(config)
  })
})

describe('reference', () => {
  it('has a meaning for every key', () => {
    const rows = referenceRows()
    expect(rows.length).toBeGreaterThan(35)
    for (const row of rows) expect(row.meaning, row.path.join('.')).toMatch(/^.{4,}\.$/)
  })

  it('is a table with a row for every key', () => {
    const table = configReference()
    expect(table).toContain(
      '| `layout.size` | size or null | `null` | Size of the disk; null = the smallest that fits. |',
    )
    expect(table).toContain('| `os.tmpfs[].mode` | text | `"1777"` |')
    expect(table).toContain('| `layout.partitions.<name>.keyFile` | guest path or null | `null` |')
    expect(table).toContain('    cc-out:\n      mount: /mnt/cc/out\n')
  })

  it('is also a JSON Schema without our own type words', () => {
    const text = JSON.stringify(configJsonSchema())
    expect(text).not.toMatch(/"type":"(size|path|guest path|bit mask)"/)
    expect(configJsonSchema()).toMatchObject({
      additionalProperties: false,
      properties: {profile: {default: 'development'}},
    })
  })

  it('is the same when it is read back from a manifest, without the partitions that were taken away', () => {
    const config = loadConfig(null, ['layout.partitions.cc-out=null', 'os.hostname=x', 'layout.size=3G'])
    const again = parseConfig(encodeImageConfig(config))
    expect(Object.keys(again.layout.partitions)).toEqual(Object.keys(config.layout.partitions))
    expect(again).toEqual(config)
  })
})
