import {createHash} from 'node:crypto'

import {beforeAll, describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {digest, facts, strict, type Changes} from './fixtures/facts.js'
import {ask, regoProgram} from '../../../../tools/rego/engine.js'
import {
  evidenceTable,
  imageId,
  keyPaths,
  markers,
  policyFormat,
  policyEntry,
  policyText,
  refuseSharedPaths,
  trusteeFiles,
  type KeyOwner,
  type PolicyEntry,
} from './index.js'

// Built on first use, which takes longer than a test may.
beforeAll(() => {
  regoProgram()
}, 900_000)

const entry = (changes: Changes = {}) => policyEntry(facts(changes))

/** Which rows of the table a policy answers wrongly; an error is not an answer. */
function wrongRows(policies: readonly string[], one: PolicyEntry): string[][] {
  const rows = evidenceTable(one)
  const answers = ask(policies.flatMap((policy) => rows.map(({data, input}) => ({policy, data, input}))))
  return policies.map((_, index) =>
    rows.filter(({released}, row) => answers[index * rows.length + row] !== released).map(({id}) => id),
  )
}

const wrong = (policy: string, one: PolicyEntry) => wrongRows([policy], one)[0]

describe('the resource policy, asked with the engine of the key broker', () => {
  const kinds: [string, PolicyEntry][] = [
    ['an image', entry()],
    [
      'an image that may run on one machine, with its own HOST_DATA',
      entry({
        policy: {...strict, chipIds: ['3'.repeat(128)]},
        hostData: ['1'.repeat(64), '2'.repeat(64)],
      }),
    ],
    ['an image that allows no SMT, on one socket', entry({guestPolicy: '0x120000'})],
    ['an image with a driver for GPUs', entry({config: {nvidia: {enabled: true}, kbs: {policy: strict}}})],
    ['an image that needs a GPU', {...entry(), gpu: 'required'}],
    ['an image that accepts any TCB', entry({policy: {}})],
  ]

  it.each(kinds)('releases the keys of %s to it alone', (_, one) => {
    expect(wrong(policyText({one}), one)).toEqual([])
    const released = evidenceTable(one).filter((row) => row.released)
    expect(released.length).toBeGreaterThanOrEqual(one.paths.length + one.digests.length)
  })

  it('answers as the table of docs/usage/trustee.md says', () => {
    const one = entry()
    const rows = ['other-image', 'debug', 'migration', 'old-snp', 'other-site']
    const table = (policy: string) => rows.filter((id) => wrong(policy, one)?.includes(id))
    const initial = `package policy\n\ndefault allow = false\n\nallow if {\n\tdata.plugin == "resource"\n\tnot input["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["sample"]\n}\n`
    const measured = `package policy\n\ndefault allow := false\n\nallow if input.submods.cpu0["ear.veraison.annotated-evidence"].snp.measurement == "${digest('a')}"\n`
    expect(table(initial)).toEqual(rows)
    expect(table(measured)).toEqual(rows.slice(1))
    expect(table(policyText({one}))).toEqual([])
  })

  // It asks the engine some thousand times.
  it('is wrong for at least one row without any of its lines', {timeout: 180_000}, () => {
    const mutants = kinds.map(([, one]) => {
      const lines = policyText({one}).split('\n')
      const start = lines.indexOf('allow if {')
      return lines.flatMap((line, index) =>
        index > start && /^(\t(?!#)|\w+\(.*\) if (?!\{$))/.test(line)
          ? [{line, policy: lines.filter((__, at) => at !== index).join('\n')}]
          : [],
      )
    })
    const caught = new Set<string>()
    kinds.forEach(([, one], kind) => {
      const found = wrongRows(
        (mutants[kind] ?? []).map(({policy}) => policy),
        one,
      )
      found.forEach((rows, index) => rows.length > 0 && caught.add(mutants[kind]?.[index]?.line ?? ''))
    })
    const lines = new Set((mutants[0] ?? []).map(({line}) => line))
    expect(lines.size).toBeGreaterThan(25)
    expect([...lines].filter((line) => !caught.has(line))).toEqual([])
  })

  it.each([
    ['snp.policy_debug_allowed == false', 'snp.policy_debug_allowed != true', 'text-policy_debug_allowed'],
    ['is_number(value)', 'true', 'text-reported_tcb_snp'],
    ['value >= floor', 'value > floor', 'good-default-site-1-cc-root'],
    ['== {"cpu0"}', '== {"cpu0", "cpu1"}', 'two-processors'],
    ['count(gpus) == 0', 'count(gpus) >= 0', 'gpu'],
    ['default allow := false', 'default allow := true', 'no-claims'],
    ['data["resource-path"] in image.paths', 'data["resource-path"][0] == "default"', 'other-site'],
  ])('with %s → %s is caught by the row %s', (from, to, row) => {
    const text = policyText({one: entry()})
    expect(text).toContain(from)
    expect(wrong(text.replace(from, to), entry())).toContain(row)
  })

  it('releases nothing for an image without an expected measurement', () => {
    const one = entry({digests: ''})
    const asked = evidenceTable({...one, digests: [digest('a')]})
    const answers = ask(asked.map(({data, input}) => ({policy: policyText({one}), data, input})))
    expect(answers.filter((answer) => answer === true)).toEqual([])
  })

  it('of two images gives each its own keys, and goes on for one when the other is withdrawn', () => {
    const [a, b] = [entry(), entry({owner: {site: 'site-2'}, digests: 'cd'})]
    const both = policyText({a, b})
    expect([wrong(both, a), wrong(both, b)]).toEqual([[], []])
    const crossed = evidenceTable({...a, digests: b.digests})
    const answers = ask(crossed.map(({data, input}) => ({policy: both, data, input})))
    expect(answers.filter((answer) => answer === true)).toEqual([])
    expect(
      both
        .split('\n')
        .filter((line) => !line.startsWith('\t"a":'))
        .join('\n'),
    ).toBe(policyText({b}))
    expect(wrong(policyText({b}), b)).toEqual([])
    expect(wrong(policyText({b}), a)).toContain('good-default-site-1-cc-root')
  })

  it('releases the key of a root that is shared to every site, and that of a site to it alone', () => {
    const sharedRoot = 'federation'
    const [a, b] = [entry({owner: {sharedRoot}}), entry({owner: {site: 'site-2', sharedRoot}, digests: 'cd'})]
    expect(a.paths).toEqual([
      ['default', 'federation', 'cc-root'],
      ['default', 'site-1', 'cc-app'],
    ])
    const both = policyText({a, b})
    expect([wrong(both, a), wrong(both, b)]).toEqual([[], []])
    const other = evidenceTable({...b, paths: [['default', 'site-1', 'cc-app']]})[0]
    expect(ask([{policy: both, data: other?.data, input: other?.input}])).toEqual([false])
  })

  it('has a new number whenever its rules change', () => {
    // Where this fails: raise policyFormat, and put the new hash here.
    const hash = createHash('sha256').update(policyText({})).digest('hex')
    expect([policyFormat, hash]).toEqual([1, 'fbec15a72df952d6f1e3d0ae19346e94ee8a7042fbf8b27b89a368d809d15c51'])
  })

  it('of no image releases nothing', () => {
    expect(wrong(policyText({}), entry())?.every((id) => /^(good|no-gpu)/.test(id))).toBe(true)
  })

  it('takes whatever a site is called as a text', () => {
    const hostile = 'a": {}, }\nallow := true #'
    const answers = ask(
      evidenceTable(entry()).map(({data, input}) => ({
        policy: policyText({[hostile]: entry({digests: 'c'})}),
        data,
        input,
      })),
    )
    expect(answers.filter((answer) => answer !== false)).toEqual(answers.filter((answer) => typeof answer === 'object'))
    expect(
      policyText({[hostile]: entry()})
        .split('\n')
        .indexOf(markers.end),
    ).toBe(policyText({a: entry()}).split('\n').indexOf(markers.end))
  })
})

describe('the paths of keys', () => {
  const paths = (owner: KeyOwner, resource?: string) =>
    keyPaths(
      facts({
        config: {
          layout: {partitions: {'cc-ro': {key: 'kbs'}, 'cc-root': {key: 'kbs'}}},
          kbs: resource === undefined ? {} : {resource},
        },
      }).config,
      owner,
    ).map(({path}) => path)

  it('name what the key opens', () => {
    expect(paths({image: 'cc_image', site: null})).toEqual(['default/cc_image/cc-root', 'default/cc_image/cc-ro'])
    expect(paths({image: 'h', site: 'site-1'})).toEqual(['default/site-1/cc-root', 'default/site-1/cc-ro'])
    expect(paths({image: 'h', site: 'site-1', sharedRoot: 'r'})).toEqual(['default/r/cc-root', 'default/site-1/cc-ro'])
    expect(paths({image: 'h', site: 's'}, '{image}/{site}/{partition}')).toEqual(['h/s/cc-root', 'h/s/cc-ro'])
  })

  it.each([
    [{image: 'h', site: 'org@example'}, undefined, "'default/org@example/cc-root' is not a path that Trustee accepts"],
    [{image: 'h', site: '$&'}, undefined, "'default/$&/cc-root' is not"],
    [{image: 'h', site: null}, '.a/b/{partition}', "'.a/b/cc-root' is not"],
    [{image: 'h', site: null}, 'a/b/{unknown}', "'a/b/{unknown}' is not"],
    [{image: 'h', site: null}, 'a/b/c', "'a/b/c' would hold the keys of cc-root and cc-ro"],
  ])('of %j with %s are refused', (owner, resource, reason) => {
    expect(() => paths(owner, resource)).toThrow(
      expect.objectContaining({code: 'E_CONFIG', message: expect.stringContaining(reason) as string}) as Error,
    )
  })

  const image = (site: string, resource: string, more: Partial<KeyOwner> = {}) => ({
    config: facts({config: {layout: {partitions: {'cc-root': {key: 'kbs'}, 'cc-ro': {key: 'kbs'}}}, kbs: {resource}}})
      .config,
    owner: {image: 'h', site, ...more},
  })

  it('of one run do not collide', () => {
    const byDefault = 'default/{owner}/{partition}'
    expect(() => {
      refuseSharedPaths([image('a', byDefault), image('b', byDefault)])
    }).not.toThrow()
    const shared = {sharedRoot: 'r'}
    expect(() => {
      refuseSharedPaths([image('a', byDefault, shared), image('b', byDefault, shared)])
    }).not.toThrow()
    expect(() => {
      refuseSharedPaths([image('a', 'x/y/{partition}'), image('b', 'x/y/{partition}')])
    }).toThrow("'x/y/cc-root' would hold the keys of cc-root of h a and cc-root of h b")
    // A root that is named as a site is another key.
    expect(() => {
      refuseSharedPaths([image('a', byDefault), image('b', byDefault, {sharedRoot: 'a'})])
    }).toThrow('cc-root')
  })

  it('are of nobody where no key comes from a broker', () => {
    expect(keyPaths(parseConfig({}), {image: 'a', site: null})).toEqual([])
  })
})

describe('the folder trustee', () => {
  it('says which file holds which key, and holds none', () => {
    const files = trusteeFiles([facts()])
    expect(JSON.parse(files['resources.json'])).toEqual({
      version: 1,
      policySha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      images: [
        {
          id: 'cc_image.site-1',
          measured: true,
          resources: [
            {path: 'default/site-1/cc-root', partition: 'cc-root', file: 'keys/root.key', made: 'build'},
            {path: 'default/site-1/cc-app', partition: 'cc-app', file: 'keys/app.key', made: 'upload'},
          ],
        },
      ],
    })
    expect(JSON.parse(files['reference-values.json'])).toEqual({snp_launch_measurement: [digest('a'), digest('b')]})
    expect(files['resource-policy.rego']).toBe(policyText({'cc_image.site-1': entry()}))
  })

  it('is one for several sites', () => {
    const files = trusteeFiles([facts(), facts({owner: {site: 'site-2'}, digests: 'c'})])
    expect(files['resource-policy.rego'].split('\n').filter((line) => line.startsWith('\t"'))).toHaveLength(2)
    expect(JSON.parse(files['reference-values.json'])).toEqual({
      snp_launch_measurement: [digest('a'), digest('b'), digest('c')],
    })
  })

  it('says where an image is not measured', () => {
    expect(trusteeFiles([facts({digests: ''})])['resources.json']).toContain('"measured": false')
    expect(imageId({image: 'a', site: null})).toBe('a')
  })
})
