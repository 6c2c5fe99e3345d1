import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {loadConfig} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {alignment, checkLayout, computeLayout, layoutProblems, uuidFromSeed, type PartitionRequest} from './index.js'

const MiB = 2 ** 20
const problems = (...sets: string[]) =>
  layoutProblems(
    loadConfig(
      null,
      sets.map((set) => (set.startsWith('profile') ? set : `layout.partitions.${set}`)),
    ),
  )

describe('checkLayout', () => {
  it('accepts the default layout', () => {
    expect(() => {
      checkLayout(loadConfig(null))
    }).not.toThrow()
  })

  it('accepts any number of further partitions', () => {
    expect(
      problems('cc-a={mount: /a, size: 1M}', 'cc-b={mount: /b, size: 1M, encryption: luks2, key: tee-ephemeral}'),
    ).toEqual([])
  })

  it('accepts dm-verity under the root, encrypted or not', () => {
    expect(problems('cc-root.integrity=verity')).toEqual([])
    expect(problems('cc-root={encryption: none, integrity: verity}')).toEqual([])
  })

  it.each([
    [
      'cc-app.integrity=verity',
      "cc-app.integrity: 'verity' is read-only, and this partition has no content: it needs 'from'",
    ],
    [
      'cc-app.from=/opt/x',
      "cc-app.key: 'tee-ephemeral' is made anew at each boot and cannot open content of build time",
    ],
    [
      'cc-app={integrity: hmac, from: /opt/x}',
      "cc-app.integrity: 'hmac' is formatted in the guest, and this partition is filled at build time",
    ],
    ['cc-app.key=null', "cc-app.key: encryption 'luks2' needs a key source"],
    ['cc-ro.key=development', "cc-ro.key: without encryption there is nothing to open, got 'development'"],
    ['cc-ro={grow: true}', "cc-ro.grow: a 'verity' partition is read-only and cannot grow"],
    ['cc-app.key=key-file', "cc-app.keyFile: the key source 'key-file' needs the path of the file"],
    ['cc-root={key: key-file, keyFile: /k}', "cc-root.key: 'key-file' lies inside cc-root and cannot open it"],
    ['cc-app.keyFile=/k', "cc-app.keyFile: is only for the key source 'key-file', got '/k'"],
    [
      'cc-out.from=/opt/x',
      "cc-out.encryption: 'on-demand' is decided at boot, and this partition is filled at build time",
    ],
    [
      'cc-out={key: tee-ephemeral, keyFile: null}',
      "cc-out.key: 'on-demand' looks whether a key file is there, got 'tee-ephemeral'",
    ],
    ['cc-app.plainAllowed=true', "cc-app.plainAllowed: is only for encryption 'on-demand'"],
    ['cc-app.mount=/proc/x', "cc-app.mount: '/proc' belongs to the system, got '/proc/x'"],
    ['cc-app.mount=/', "cc-app.mount: '/' is for cc-root and only there, got '/'"],
    ['cc-root.mount=/r', "cc-root.mount: '/' is for cc-root and only there, got '/r'"],
    ['cc-out.mount=/mnt/cc/app', "cc-out.mount: '/mnt/cc/app' is taken by cc-app"],
    ['cc-root=null', "layout.partitions: 'cc-root' is missing: the system has to be somewhere"],
    ['cc-app.grow=true', 'only one partition can take the rest of the disk, got grow on cc-root, cc-app'],
    [
      'cc-ro={encryption: luks2, key: tee-derived, integrity: none}',
      "cc-ro.integrity: 'tee-derived' exists in the guest",
    ],
    ['cc-root.key=tee-derived', "cc-root.integrity: 'tee-derived' exists in the guest"],
    [
      'cc-app.key=sealed',
      "cc-app.key: 'sealed' is made at build time, for content that is there then: it needs 'from'",
    ],
    ['cc-root.key=sealed', "cc-root.key: 'sealed' lies inside cc-root and cannot open it"],
    [
      'cc-ro={encryption: luks2, key: key-file, keyFile: /k}',
      "cc-ro.key: 'key-file' is for what the guest formats, and this is filled at build time",
    ],
    ['cc-ro={integrity: hmac, encryption: luks2, key: sealed}', "cc-ro.integrity: 'hmac' is formatted in the guest"],
    ['cc-app={integrity: hmac, encryption: none, key: null}', "cc-app.integrity: 'hmac' is a kind of LUKS2"],
    ['cc-root={filesystem: squashfs}', "cc-root.filesystem: 'squashfs' is read-only: it needs integrity 'verity'"],
  ])('refuses %s', (set, reason) => {
    expect(problems(set).join('\n')).toContain(reason)
  })

  it.each(['none', 'tee-derived'])('refuses a key that lies in a root whose own key is %s', (root) => {
    const rootSet = root === 'none' ? '{encryption: none, key: null}' : '{integrity: verity, key: tee-derived}'
    expect(problems(`cc-root=${rootSet}`, 'cc-ro={encryption: luks2, key: sealed}').join('\n')).toContain(
      `cc-ro.key: 'sealed' lies inside cc-root, which has to be encrypted at build time, with 'kbs'; its key is '${root}'`,
    )
  })

  it.each([
    'cc-app.key=kbs',
    'cc-app.key=tee-derived',
    'cc-app.integrity=hmac',
    'cc-app={integrity: hmac, key: tee-derived}',
    'cc-out={encryption: luks2, integrity: hmac, key: tee-derived, keyFile: null}',
    'cc-root.key=kbs',
    'cc-ro={encryption: luks2, key: kbs}',
    'cc-ro={encryption: luks2, key: sealed}',
    'cc-ro={encryption: luks2, key: tee-derived}',
  ])('accepts %s', (set) => {
    expect(problems(set)).toEqual([])
  })

  it('does not take a name that only begins like a system directory for one', () => {
    expect(problems('cc-app.mount=/procedures')).toEqual([])
  })

  it('refuses the development key in a production profile', () => {
    expect(problems('profile=production')).toEqual([
      "layout.partitions.cc-root.key: 'development' protects nothing; profile 'production' refuses it",
    ])
  })

  it('says everything at once, as E_LAYOUT', () => {
    const config = loadConfig(null, ['profile=production', 'layout.partitions.cc-app.mount=/etc/x'])
    expect(() => {
      checkLayout(config)
    }).toThrow(expect.objectContaining({code: 'E_LAYOUT', exitCode: 2}) as CcError)
    expect(layoutProblems(config)).toHaveLength(2)
  })
})

const request = fc
  .array(
    fc.record({content: fc.integer({min: 0, max: 300 * MiB}), spare: fc.option(fc.integer({min: 0, max: 50 * MiB}))}),
    {maxLength: 8},
  )
  .chain((parts) => fc.record({parts: fc.constant(parts), growing: fc.option(fc.nat(Math.max(parts.length - 1, 0)))}))
  .map(({parts, growing}) =>
    parts.map(({content, spare}, index): PartitionRequest => {
      const size = spare === null ? null : Math.ceil(content / MiB) * MiB + MiB + spare
      return {name: `cc-p${index}`, contentBytes: content, size, grow: growing === index}
    }),
  )

describe('computeLayout', () => {
  it('places the default partitions, the growing one last', () => {
    const layout = computeLayout({
      seed: 's',
      diskSize: null,
      partitions: [
        {name: 'cc-root', contentBytes: 500 * MiB, size: null, grow: true},
        {name: 'cc-app', contentBytes: 0, size: 256 * MiB},
        {name: 'cc-esp', contentBytes: MiB / 2, size: null, type: 'esp'},
      ],
    })
    expect(
      layout.partitions.map(({name, number, startBytes, sizeBytes}) => [
        name,
        number,
        startBytes / MiB,
        sizeBytes / MiB,
      ]),
    ).toEqual([
      ['cc-app', 1, 1, 256],
      ['cc-esp', 2, 257, 1],
      ['cc-root', 3, 258, 500],
    ])
    expect(layout.diskBytes).toBe(759 * MiB)
    expect(layout.partitions[1]?.typeGuid).toBe('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')
  })

  it('never overlaps, is aligned, holds the content, and the smallest disk is the smallest', () => {
    fc.assert(
      fc.property(request, fc.integer({min: 0, max: 100 * MiB}), (partitions, more) => {
        const smallest = computeLayout({partitions, diskSize: null, seed: 's'})
        const layout = computeLayout({partitions, diskSize: smallest.diskBytes + more, seed: 's'})
        let end = alignment
        for (const planned of layout.partitions) {
          const wanted = partitions.find(({name}) => name === planned.name)
          expect(planned.startBytes).toBe(end)
          expect(planned.startBytes % alignment).toBe(0)
          expect(planned.sizeBytes % alignment).toBe(0)
          expect(planned.sizeBytes).toBeGreaterThanOrEqual(wanted?.contentBytes ?? Infinity)
          end += planned.sizeBytes
        }
        expect(end).toBeLessThanOrEqual(layout.diskBytes - 33 * 512)
        if (partitions.some(({grow}) => grow)) expect(layout.diskBytes - end).toBeLessThan(2 * MiB)
        if (partitions.length > 0) {
          expect(() => computeLayout({partitions, diskSize: smallest.diskBytes - 1, seed: 's'})).toThrow(/disk needs/)
        }
      }),
    )
  })

  it('names the partition, what it has and what it needs', () => {
    const partitions = [{name: 'cc-ro', contentBytes: 100 * MiB + 1, size: 64 * MiB}]
    expect(() => computeLayout({partitions, diskSize: null, seed: 's'})).toThrow('cc-ro: has 64M, needs 101M')
    const root = [{name: 'cc-root', contentBytes: 600 * MiB, size: null, grow: true}]
    expect(() => computeLayout({partitions: root, diskSize: 512 * MiB, seed: 's'})).toThrow(
      'cc-root: has 510M on a disk of 512M, needs 600M; the disk needs 602M',
    )
  })

  it('makes GUIDs that depend on the seed and the name alone', () => {
    expect(uuidFromSeed('a', 'b')).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(uuidFromSeed('a', 'b')).toBe(uuidFromSeed('a', 'b'))
    expect(
      new Set([uuidFromSeed('a', 'b'), uuidFromSeed('a', 'c'), uuidFromSeed('b', 'b'), uuidFromSeed('ab', '')]).size,
    ).toBe(4)
  })
})
