import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import type {Server} from 'node:https'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {encodeImageConfig, parseConfig} from 'cc-core/config'
import {encodeManifest, type Manifest} from 'cc-core/manifest'
import type {Check} from 'cc-core/report'
import {trusteeFiles} from 'cc-core/trustee'
import {SilentReporter} from 'cc-core/ui'
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {regoProgram} from '../../../tools/rego/engine.js'
import {makeCertificates, startKeyBroker, type BrokerSetup} from '../../../tools/rego/key-broker.js'
import {testTrustee, type TrusteeTestOptions} from './services/trustee.js'
import {parseAnswer} from './trustee/engine.js'

let root: string
let url: string
let server: Server
let setup: BrokerSetup
const path = (...names: string[]) => join(root, ...names)
const lax = 'package policy\n\ndefault allow := true\n'

const config = (minimumTcb: Record<string, number> = {bootloader: 4, tee: 1, snp: 23, microcode: 72}) =>
  parseConfig({
    profile: 'production',
    kbs: {url, ca: readFileSync(path('certificates/ca.pem'), 'utf8'), policy: {minimumTcb}},
    hardening: {role: 'client', site: 'site-1'},
    layout: {partitions: {'cc-root': {key: 'kbs'}, 'cc-ro': {key: 'kbs', encryption: 'luks2'}}},
  })

/** An image directory, as far as the keys are concerned. */
function image(name: string, settings = config(), digest: string | null = 'a'.repeat(96)): string {
  const sha = '0'.repeat(64)
  const entries = [{vcpus: 4, cpuType: 'EPYC-v4', guestFeatures: '0x1', digest: digest ?? ''}]
  const from = {firmware: sha, kernel: sha, initrd: sha, cmdline: sha}
  const measurement: Manifest['measurement'] =
    digest === null ? null : {platform: 'sev-snp', algorithm: 'sha384', from, entries}
  const manifest: Manifest = {
    ...{version: 1, name: 'image', stage: 'hardened', tool: 't', profile: 'production'},
    config: encodeImageConfig(settings),
    ...{distribution: 'debian-12', source: {kind: 'mirror', label: 'l', sha256: null}, sourceDateEpoch: 1},
    ...{
      buildKey: sha,
      cmdline: '',
      measurement,
      initrd: {sealOffset: 0},
      disk: {bytes: 0},
      partitions: [],
      packages: [],
    },
    launch: {
      ...{
        platform: 'sev-snp',
        vcpus: [4],
        cpuTypes: ['EPYC-v4'],
        memoryMiB: 1,
        policy: '0x30000',
        guestFeatures: '0x1',
      },
      firmwareSha256: null,
    },
    artefacts: {},
  }
  mkdirSync(path(name, 'trustee'), {recursive: true})
  writeFileSync(path(name, 'manifest.json'), encodeManifest(manifest))
  const owner = {image: 'image', site: 'site-1'}
  const facts = {config: settings, owner, guestPolicy: '0x30000', hostData: [], measurement}
  for (const [file, text] of Object.entries(trusteeFiles([facts]))) writeFileSync(path(name, 'trustee', file), text)
  return path(name)
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cc-trustee-test-'))
  regoProgram() // Built on first use, which takes longer than a test may.
  mkdirSync(path('certificates'))
  makeCertificates(path('certificates'))
  writeFileSync(path('token'), 'the token of the administrator, 32+')
  const broker = await startKeyBroker(path('certificates'), () => setup)
  url = broker.url
  server = broker.server
}, 900_000)
afterAll(() => {
  server.close()
  rmSync(root, {recursive: true})
})
beforeEach(() => {
  setup = {
    ...{insecureHeaderJwk: false, insecureAllowAll: false, adminToken: 'the token of the administrator, 32+'},
    policy: readFileSync(join(image('good'), 'trustee/resource-policy.rego'), 'utf8'),
    resources: {'default/site-1/cc-root': 'ciphertext', 'default/site-1/cc-ro': 'ciphertext'},
  }
})

async function look(changes: Partial<TrusteeTestOptions> = {}): Promise<readonly Check[]> {
  const options: TrusteeTestOptions = {
    ...{image: path('good'), url: null, ca: null, adminToken: path('token'), policy: null},
    ...{engine: regoProgram(), client: null},
    ...changes,
  }
  const {checks} = await testTrustee(options, {reporter: new SilentReporter(), signal: new AbortController().signal})
  return checks
}

const failures = (checks: readonly Check[]) => checks.filter(({status}) => status === 'failed').map(({id}) => id)
const skips = (checks: readonly Check[]) => checks.filter(({status}) => status === 'skipped').map(({id}) => id)
const detail = (checks: readonly Check[], id: string) => checks.find((check) => check.id === id)?.detail

describe('cc-image-test trustee', {timeout: 120_000}, () => {
  it('passes where policy and broker are right, and says what it has not asked', async () => {
    const checks = await look()
    expect(failures(checks)).toEqual([])
    expect(skips(checks)).toEqual(['sample', 'forged-longer-path', 'forged-no-path', 'forged-plugin'])
    const passed = checks.filter(({status}) => status === 'passed').map(({id}) => id)
    for (const row of [
      'other-image',
      'debug',
      'migration',
      'old-snp',
      'other-site',
      'sample',
      'text-policy_debug_allowed',
    ])
      expect(passed).toEqual(expect.arrayContaining([`policy-${row}`, `forged-${row}`]))
  })

  it('finds each row that a lax policy releases', async () => {
    writeFileSync(path('lax.rego'), lax)
    const checks = await look({policy: path('lax.rego')})
    const rows = checks.filter(({id, title}) => id.startsWith('policy-') && title.endsWith(': refused'))
    expect(rows.length).toBeGreaterThan(30)
    expect(failures(checks)).toEqual(rows.map(({id}) => id))
    expect(detail(checks, 'policy-debug')).toBe('the policy says released')
  })

  it('finds a broker that believes whoever signs for himself: once where the policy holds, each row where it does not', async () => {
    setup = {...setup, insecureHeaderJwk: true}
    const strict = await look()
    expect(failures(strict)).toEqual(['forged-good-default-site-1-cc-root'])
    expect(detail(strict, 'forged-good-default-site-1-cc-root')).toMatch(/released: .*insecure_header_jwk = false/)
    setup = {...setup, policy: lax}
    expect(failures(await look())).toEqual(
      expect.arrayContaining(['forged-debug', 'forged-other-image', 'forged-sample']),
    )
  })

  it('finds a broker of which everybody is administrator', async () => {
    setup = {...setup, insecureAllowAll: true}
    const checks = await look()
    expect(failures(checks)).toEqual(['no-admin'])
    expect(detail(checks, 'no-admin')).toContain('InsecureAllowAll')
  })

  it('finds a token that is not that of the administrator', async () => {
    setup = {...setup, adminToken: 'another'}
    expect(failures(await look())).toEqual(['admin'])
  })

  it('finds an image that was not measured, accepts old firmware, or has another policy beside it', async () => {
    expect(failures(await look({image: image('unmeasured', config(), null)}))).toEqual(['policy-demands'])
    const old = await look({image: image('old', config({bootloader: 4, tee: 1, microcode: 72}))})
    expect(detail(old, 'policy-demands')).toBe('kbs.policy.minimumTcb.snp: 0 accepts firmware with known holes')
    image('altered')
    writeFileSync(path('altered/trustee/resource-policy.rego'), lax)
    expect(failures(await look({image: path('altered')}))).toEqual(
      expect.arrayContaining(['policy-text', 'policy-debug']),
    )
  })

  it('skips the rows of the policy where there is no engine, and says how to get one', async () => {
    const before = process.env['PATH']
    process.env['PATH'] = '/nonexistent'
    try {
      const checks = await look({engine: null})
      expect(detail(checks, 'policy-debug')).toContain('install OPA')
      expect(failures(checks)).toEqual([])
    } finally {
      process.env['PATH'] = before
    }
  })

  it('does not pass where nothing is asked: no broker, another authority, another server', async () => {
    const all = await look({url: 'https://127.0.0.1:1'})
    expect(failures(all).length).toBeGreaterThan(30)
    expect(detail(all, 'no-token')).toContain('ECONNREFUSED')
    mkdirSync(path('others'), {recursive: true})
    makeCertificates(path('others'))
    expect(detail(await look({ca: path('others/ca.pem')}), 'forged-debug')).toMatch(/certificate/)
  })

  it('asks with kbs-client as a machine without evidence', async () => {
    const client = (name: string, lines: string) => {
      writeFileSync(
        path(name),
        `#!/bin/sh\n[ "$5 $6 $7" = "get-resource --path default/site-1/cc-root" ] || exit 9\n${lines}\n`,
        {mode: 0o755},
      )
      return path(name)
    }
    const asked = async (lines: string) => {
      const checks = await look({client: client('client', lines)})
      return [failures(checks), detail(checks, 'sample')]
    }
    expect(await asked('echo "Error: request unauthorized" >&2; exit 1')).toEqual([[], 'refused'])
    expect(await asked('echo a key; exit 0')).toEqual([
      ['sample'],
      'the broker released it to a machine without evidence',
    ])
    expect((await asked('echo "Connection refused" >&2; exit 1'))[0]).toEqual(['sample'])
  })

  it.each([
    [{url: 'http://127.0.0.1'}, 'E_USAGE', "'http://127.0.0.1' is not a plain https URL"],
    [{url: 'https://a:b@127.0.0.1'}, 'E_USAGE', 'is not a plain https URL'],
    [{url: 'nonsense'}, 'E_USAGE', "--kbs: 'nonsense'"],
    [{ca: '/nonexistent'}, 'E_USAGE', "--ca: there is no file '/nonexistent'"],
  ])('refuses %j', async (changes, code, message) => {
    await expect(look(changes)).rejects.toMatchObject({code, message: expect.stringContaining(message) as string})
  })

  it('refuses an image whose keys come from elsewhere', async () => {
    await expect(look({image: image('plain', parseConfig({}))})).rejects.toMatchObject({code: 'E_IMAGE'})
  })
})

describe('the answer of a policy engine', () => {
  it.each([
    ['{"result":[{"expressions":[{"value":true,"text":"data.policy.allow"}]}]}', 'released'],
    ['{"result":[{"expressions":[{"value":false}]}]}', 'refused'],
    ['{}', 'refused'],
    ['{"errors":[{"message":"rego_parse_error"}]}', 'error: {"errors":[{"message":"rego_parse_error"}]}'],
    ['{"result":[{"expressions":[{"value":"true"}]}]}', 'error: the policy says neither true nor false'],
    ['{"result":[]}', 'error: the policy says neither'],
    ['null', 'error: null'],
    ['', 'error: the engine printed no JSON'],
  ])('%s is %s', (text, answer) => {
    expect(parseAnswer(text)).toContain(answer)
  })
})
