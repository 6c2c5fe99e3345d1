import {execFileSync, spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {facts, type Changes} from './fixtures/facts.js'
import {ask, regoProgram} from '../../../../tools/rego/engine.js'
import {evidenceTable, policyEntry, policyFormat, trusteeFiles} from './index.js'

// Built on first use, which takes longer than a test may.
beforeAll(() => {
  regoProgram()
}, 900_000)

const scripts = fileURLToPath(new URL('../../../../scripts', import.meta.url))
const client = fileURLToPath(new URL('./fixtures/kbs-client', import.meta.url))
const url = 'https://kbs.example:8443'
const first = ['--replace-foreign-policy']

let root: string
const path = (...names: string[]) => join(root, ...names)
const state = (name: string) => path('state', name)
const read = (name: string) => readFileSync(path(name), 'utf8')
const write = (name: string, text: string, mode = 0o600) => {
  writeFileSync(path(name), text)
  chmodSync(path(name), mode)
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cc trustee, it's "))
  mkdirSync(path('state'))
  write('token', 'the token')
  write('ca.pem', '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n', 0o644)
})
afterEach(() => {
  rmSync(root, {recursive: true})
})

/** An image directory, as far as the scripts look at it. */
function image(name: string, changes: Changes = {}): void {
  for (const folder of ['', 'keys', 'trustee']) mkdirSync(path(name, folder), {recursive: true})
  for (const [file, text] of Object.entries(trusteeFiles([facts(changes)])))
    writeFileSync(path(name, 'trustee', file), text)
  write(`${name}/keys/root.key`, `the key of ${name}, which nobody may see`)
  for (const [file, source] of Object.entries({upload: 'upload_to_trustee', revoke: 'revoke_from_trustee'})) {
    const words = ['--script', join(scripts, 'host', `${source}.sh`), '--output', path(name, 'trustee', `${file}.sh`)]
    execFileSync('bash', [join(scripts, 'boot/make-host-script.sh'), ...words])
  }
}

interface Run {
  status: number | null
  output: string
}

function run(
  name: string,
  script: 'upload' | 'revoke',
  words: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Run {
  const all = [url, '--ca', path('ca.pem'), '--admin-token', path('token'), '--kbs-client', client, ...words]
  const options = {
    env: {...process.env, KBS_STATE: path('state'), HOME: path('home'), XDG_STATE_HOME: '', ...env},
    encoding: 'utf8',
  } as const
  const {status, stdout, stderr} = spawnSync(path(name, 'trustee', `${script}.sh`), all, options)
  const output = stdout + stderr
  // Never a key, in whatever form.
  for (const one of ['a', 'b'].filter((other) => existsSync(path(other)))) {
    const key = readFileSync(path(one, 'keys/root.key'))
    for (const form of ['utf8', 'base64', 'hex'] as const) expect(output).not.toContain(key.toString(form))
  }
  return {status, output}
}

const recordOf = () => path('home/.local/state/cc-images/trustee/kbs.example_8443')

/** Which of the rows that may be released are, by the policy that the broker has. */
function released(changes: Changes): Record<string, boolean> {
  const rows = evidenceTable(policyEntry(facts(changes))).filter((row) => row.released)
  const answers = ask(rows.map(({data, input}) => ({policy: readFileSync(state('policy.rego'), 'utf8'), data, input})))
  return Object.fromEntries(rows.map(({id}, index) => [id, answers[index] === true]))
}

const second: Changes = {owner: {site: 'site-2'}, digests: 'cd'}
const all = (value: boolean) => (found: Record<string, boolean>) => Object.values(found).every((one) => one === value)

describe('upload.sh', () => {
  it('sends the policy first, then the keys, and sees that it gets nothing', () => {
    image('a')
    const {status, output} = run('a', 'upload', first)
    expect(output).toContain('verified: the broker releases none of the keys')
    expect(status).toBe(0)
    const calls = readFileSync(state('calls'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((call) => call.replace(/.*(?=(set-|get-)resource)/, ''))
    expect(calls.map((call) => call.split(' ')[0])).toEqual([
      'set-resource-policy',
      'set-resource',
      'set-resource',
      'get-resource',
      'get-resource',
    ])
    expect(readFileSync(state('resources/default/site-1/cc-root'))).toEqual(readFileSync(path('a/keys/root.key')))
    expect(readFileSync(state('policy.rego'), 'utf8')).toBe(read('a/trustee/resource-policy.rego'))
    expect(released({})).toSatisfy(all(true))
  })

  it('run again changes nothing, and keeps the key that it made', () => {
    image('a')
    run('a', 'upload', first)
    const before = [readFileSync(state('policy.rego')), readFileSync(state('resources/default/site-1/cc-app'))]
    expect(before[1]).toHaveLength(32)
    expect(run('a', 'upload')).toMatchObject({status: 0})
    expect([readFileSync(state('policy.rego')), readFileSync(state('resources/default/site-1/cc-app'))]).toEqual(before)
    rmSync(path('a/keys/app.key'))
    expect(run('a', 'upload')).toMatchObject({
      status: 2,
      output: expect.stringContaining("app.key' is missing") as string,
    })
  })

  it('merges the images of a broker; one that is withdrawn gets nothing, the other goes on', () => {
    image('a')
    image('b', second)
    expect(run('a', 'upload', first)).toMatchObject({status: 0})
    expect(run('b', 'upload')).toMatchObject({status: 0, output: expect.stringContaining('2 images') as string})
    expect([released({}), released(second)].every(all(true))).toBe(true)
    expect(run('a', 'revoke')).toMatchObject({
      status: 0,
      output: expect.stringContaining('withdrawn: cc_image.site-1') as string,
    })
    expect(released({})).toSatisfy(all(false))
    expect(released(second)).toSatisfy(all(true))
    expect(existsSync(state('resources/default/site-1/cc-root'))).toBe(false)
    expect(existsSync(state('resources/default/site-2/cc-root'))).toBe(true)
    expect(run('a', 'revoke')).toMatchObject({status: 0})
    expect(run('a', 'upload')).toMatchObject({status: 0})
    expect([released({}), released(second)].every(all(true))).toBe(true)
  })

  it('withdraws a site, and leaves the key of a root that another one needs', () => {
    const shared = {sharedRoot: 'federation'}
    image('a', {owner: shared})
    image('b', {...second, owner: {site: 'site-2', ...shared}})
    write('b/keys/root.key', read('a/keys/root.key'))
    expect(run('a', 'upload', first)).toMatchObject({status: 0})
    expect(run('b', 'upload')).toMatchObject({status: 0})
    expect(run('a', 'revoke').output).toContain('kept the key of default/federation/cc-root: another image needs it')
    expect(existsSync(state('resources/default/federation/cc-root'))).toBe(true)
    expect(released({...second, owner: {site: 'site-2', ...shared}})).toSatisfy(all(true))
  })

  it('deletes the key of a shared root that a new build has under another name', () => {
    image('a', {owner: {sharedRoot: 'root-1'}})
    expect(run('a', 'upload', first)).toMatchObject({status: 0})
    image('a', {owner: {sharedRoot: 'root-2'}})
    const again = run('a', 'upload', ['--replace-keys'])
    expect(again.status).toBe(0)
    expect(again.output).toContain('no image of the policy needs the key of default/root-1/cc-root any more')
    expect(existsSync(state('resources/default/root-1/cc-root'))).toBe(true)
    expect(run('a', 'revoke')).toMatchObject({status: 0})
    for (const name of ['root-1', 'root-2'])
      expect(existsSync(state(`resources/default/${name}/cc-root`)), name).toBe(false)
  })

  it('takes a new build of an image for the old one only when told to', () => {
    image('a')
    run('a', 'upload', first)
    image('a', {digests: 'e'})
    write('a/keys/root.key', 'a new key of the same image, 32 bytes')
    const refused = run('a', 'upload')
    expect(refused).toMatchObject({
      status: 2,
      output: expect.stringContaining('holds the key of another build or image') as string,
    })
    expect(released({})).toSatisfy(all(true))
    expect(run('a', 'upload', ['--replace-keys'])).toMatchObject({status: 0})
    expect(released({digests: 'e'})).toSatisfy(all(true))
    expect(released({})['good-digest-0']).toBe(false)
  })

  it('sends the keys of several images at once, from the folder that they share', () => {
    for (const name of ['a', 'b']) image(`out/${name}`, name === 'b' ? second : {})
    image('out')
    const merged = (name: string) => {
      for (const [file, text] of Object.entries(
        trusteeFiles([
          {...facts(), folder: 'a'},
          {...facts(second), folder: name},
        ]),
      ))
        writeFileSync(path('out/trustee', file), text)
    }
    merged('b')
    expect(run('out', 'upload', first)).toMatchObject({
      status: 0,
      output: expect.stringContaining('2 images') as string,
    })
    expect(readFileSync(state('resources/default/site-2/cc-root'))).toEqual(readFileSync(path('out/b/keys/root.key')))
    expect([released({}), released(second)].every(all(true))).toBe(true)
    merged('..')
    expect(run('out', 'upload')).toMatchObject({
      status: 4,
      output: expect.stringContaining('cannot hold a key') as string,
    })
  })

  it('sends nothing for an image that was built anew after the folder', () => {
    image('out/a')
    image('out')
    write('out/a/manifest.json', 'as it was')
    const manifestSha256 = createHash('sha256').update('as it was').digest('hex')
    const merged = (folder: string) => {
      for (const [file, text] of Object.entries(trusteeFiles([{...facts(), folder, manifestSha256}])))
        writeFileSync(path('out/trustee', file), text)
    }
    merged('a')
    expect(run('out', 'upload', first)).toMatchObject({status: 0})
    write('out/a/manifest.json', 'another one')
    const sent = read('state/calls')
    for (const script of ['upload', 'revoke'] as const)
      expect(run('out', script)).toMatchObject({
        status: 4,
        output: expect.stringContaining(`the image in '${path('out')}/a' is not the one`) as string,
      })
    rmSync(path('out/a/manifest.json'))
    expect(run('out', 'upload')).toMatchObject({status: 4})
    merged('../a')
    expect(run('out', 'upload')).toMatchObject({status: 4, output: expect.stringContaining("'../a'") as string})
    expect(read('state/calls')).toBe(sent)
  })

  it('of a run refuses two keys for one path', () => {
    const shared = {sharedRoot: 'federation'}
    for (const name of ['a', 'b']) image(`out/${name}`)
    image('out')
    const both = [
      {...facts({owner: shared}), folder: 'a'},
      {...facts({...second, owner: {site: 'site-2', ...shared}}), folder: 'b'},
    ]
    for (const [file, text] of Object.entries(trusteeFiles(both))) writeFileSync(path('out/trustee', file), text)
    expect(run('out', 'upload', first)).toMatchObject({
      status: 4,
      output: expect.stringContaining('two images have different keys for default/federation/cc-root') as string,
    })
    write('out/b/keys/root.key', read('out/a/keys/root.key'))
    expect(run('out', 'upload', first)).toMatchObject({status: 0})
  })

  it('goes on where it was interrupted', () => {
    image('a')
    write('state/refuse', 'set-resource --path')
    expect(run('a', 'upload', first)).toMatchObject({
      status: 1,
      output: expect.stringContaining('Connection refused') as string,
    })
    rmSync(state('refuse'))
    expect(run('a', 'upload')).toMatchObject({status: 0})
  })

  it('is loud where the broker releases a key to a machine without evidence', () => {
    image('a')
    write('state/lax', '')
    const {status, output} = run('a', 'upload', first)
    expect(status).toBe(7)
    expect(output).toContain('releases default/site-1/cc-root to this machine, which has no evidence')
    expect(output).toContain('insecure_header_jwk')
  })

  it('does not call it verified where the broker was not asked', () => {
    image('a')
    write('state/refuse', 'get-resource')
    expect(run('a', 'upload', first)).toMatchObject({
      status: 1,
      output: expect.stringContaining('was not asked') as string,
    })
  })

  it('takes the key of an administrator for an older broker', () => {
    image('a')
    const words = [url, '--ca', path('ca.pem'), '--auth-private-key', path('token'), '--kbs-client', client, ...first]
    const {status, stderr} = spawnSync(path('a/trustee/upload.sh'), words, {
      env: {...process.env, KBS_STATE: path('state'), HOME: path('home')},
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(readFileSync(state('calls'), 'utf8')).toContain('--auth-private-key')
  })
})

describe('a policy that is not ours', () => {
  const foreign = 'package policy\n\ndefault allow := true\n'

  it('is not replaced unseen', () => {
    image('a')
    expect(run('a', 'upload')).toMatchObject({
      status: 2,
      output: expect.stringContaining('a broker shows it to nobody') as string,
    })
    expect(run('a', 'revoke')).toMatchObject({status: 2})
    expect(existsSync(state('policy.rego'))).toBe(false)
  })

  it('is not replaced where it is known, but for the flag', () => {
    image('a')
    write('foreign.rego', foreign)
    const refused = run('a', 'upload', ['--present-policy', path('foreign.rego')])
    expect(refused).toMatchObject({
      status: 2,
      output: expect.stringContaining('is not a policy of these scripts') as string,
    })
    expect(existsSync(state('calls'))).toBe(false)
    expect(run('a', 'upload', ['--present-policy', path('foreign.rego'), ...first])).toMatchObject({status: 0})
  })

  it('of ours is taken over from another record', () => {
    image('a')
    image('b', second)
    run('b', 'upload', first)
    const words = ['--record', path('other'), '--present-policy', state('policy.rego')]
    expect(run('a', 'upload', words)).toMatchObject({status: 0})
    expect([released({}), released(second)].every(all(true))).toBe(true)
  })

  it('of ours from an older version of the scripts is brought up to date; from a newer one it is left alone', () => {
    image('a')
    image('b', second)
    run('b', 'upload', first)
    const file = join(recordOf(), 'resource-policy.rego')
    const as = (format: number) => {
      const text = readFileSync(file, 'utf8')
        .replace(/format \d+\./, `format ${format}.`)
        .replace(/.*policy_migrate_ma.*\n/, '')
      writeFileSync(file, text)
      writeFileSync(join(recordOf(), 'sent'), createHash('sha256').update(text).digest('hex'))
    }
    as(policyFormat + 1)
    expect(run('a', 'upload')).toMatchObject({
      status: 2,
      output: expect.stringContaining('is of a newer version') as string,
    })
    expect(run('b', 'revoke')).toMatchObject({status: 2})
    as(policyFormat - 1)
    expect(run('a', 'upload')).toMatchObject({status: 0})
    expect(readFileSync(file, 'utf8')).toContain('policy_migrate_ma')
    expect([released({}), released(second)].every(all(true))).toBe(true)
  })

  it.each([
    ['a rule', (text: string) => `${text}\nallow if true\n`],
    ['a condition less', (text: string) => text.replace(/.*policy_debug_allowed.*\n/, '')],
    ['a rule among the images', (text: string) => text.replace(/(\t# images: end)/, '}\nallow := true\nx := {\n$1')],
    [
      'a rule behind an image',
      (text: string) => text.replace(/"gpu":"refused"\},/, '"gpu":"refused"},} allow := true x := {'),
    ],
    ['a comment in an image', (text: string) => text.replace(/"gpu":"refused"\},/, '"gpu":"refused"}, # {')],
  ])('is one with %s more', (_, change) => {
    image('a')
    image('b', second)
    run('b', 'upload', first)
    const file = join(recordOf(), 'resource-policy.rego')
    const text = readFileSync(file, 'utf8')
    expect(change(text)).not.toBe(text)
    writeFileSync(file, change(text))
    expect(run('a', 'upload')).toMatchObject({status: 2, output: expect.stringContaining('changed by hand') as string})
    writeFileSync(path('a/trustee/resource-policy.rego'), change(read('a/trustee/resource-policy.rego')))
    expect(run('a', 'upload', first)).toMatchObject({status: 4})
  })
})

describe('upload.sh refuses', () => {
  it.each<[string, () => string[], number, string]>([
    ['http', () => ['http://kbs.example'], 2, "unexpected argument 'http://kbs.example'"],
    ['an unknown option', () => ['--force', 'x'], 2, "unknown option '--force'"],
    ['an option without its value', () => ['--record'], 2, '--record needs a value'],
    ['two kinds of administrators', () => ['--auth-private-key', path('token')], 2, 'only one of them'],
    ['a client that is not there', () => ['--kbs-client', '/none'], 3, "'/none' is not a program"],
    ['a certificate that is none', () => ['--ca', path('token')], 2, 'is not a certificate'],
    ['a folder without an image', () => ['--image', path('state')], 4, 'has no folder trustee'],
    [
      'a record that cannot be',
      () => ['--record', '/proc/none/record'],
      3,
      "cannot make the folder '/proc/none/record'",
    ],
  ])('%s', (_, words, status, reason) => {
    image('a')
    expect(run('a', 'upload', [...first, ...words()])).toMatchObject({
      status,
      output: expect.stringContaining(reason) as string,
    })
  })

  it('a token or a key that others may read', () => {
    image('a')
    chmodSync(path('token'), 0o644)
    expect(run('a', 'upload', first).output).toMatch(/token' has the mode 644: others may read it\n {2}try: chmod 600/)
    chmodSync(path('token'), 0o600)
    chmodSync(path('a/keys/root.key'), 0o640)
    expect(run('a', 'upload', first)).toMatchObject({
      status: 2,
      output: expect.stringContaining("root.key' has the mode 640") as string,
    })
  })

  it('an image that was never measured', () => {
    image('a', {digests: ''})
    expect(run('a', 'upload', first)).toMatchObject({
      status: 2,
      output: expect.stringContaining('launch.ovmf') as string,
    })
  })

  it('a key that is too short', () => {
    image('a')
    write('a/keys/root.key', 'short')
    expect(run('a', 'upload', first)).toMatchObject({
      status: 4,
      output: expect.stringContaining('has 5 bytes') as string,
    })
  })

  it.each([
    ['"keys/root.key"', '"../../etc/shadow"', 'names a file that cannot hold a key'],
    ['"default/site-1/cc-root"', '"default/../cc-root"', 'a path that cannot be one'],
    ['"version": 1', '"version": 2', "another version: '2'"],
    ['"id"', '"it"', 'names no image'],
    ['{', '', 'is not JSON'],
  ])('a resources.json with %s → %s', (from, to, reason) => {
    image('a')
    const file = 'a/trustee/resources.json'
    writeFileSync(path(file), read(file).replace(from, to))
    expect(run('a', 'upload', first)).toMatchObject({status: 4, output: expect.stringContaining(reason) as string})
  })

  it('a second one at the same time', () => {
    image('a')
    run('a', 'upload', first)
    const script = `exec 8>"$1/lock"; flock 8; shift; "$@"`
    const words = [url, '--ca', path('ca.pem'), '--admin-token', path('token'), '--kbs-client', client]
    const {status, stderr} = spawnSync('bash', ['-c', script, '-', recordOf(), path('a/trustee/upload.sh'), ...words], {
      env: {...process.env, KBS_STATE: path('state'), HOME: path('home')},
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([3, expect.stringContaining('another upload is working')])
  })
})
