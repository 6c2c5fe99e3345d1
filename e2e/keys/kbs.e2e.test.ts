import {createHash} from 'node:crypto'
import {execFileSync} from 'node:child_process'
import {cpSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {boot, copyImage, type Boot} from '../lib/boot.js'
import {makeCertificates, signServer, startBroker, type Answers} from '../lib/broker.js'
import {startTimeServer, type TimeServer} from '../lib/clock.js'
import {standInKit} from '../lib/kits.js'
import {buildOf, cc, folder, lab} from '../lib/lab.js'
import {pretendSnp, standIn, standInClient} from '../lib/tee.js'
import {giveToUser} from '../lib/user.js'

const timeoutMs = 1_200_000
const key = (image: string, name: string) => readFileSync(join(image, 'keys', name)).toString('base64') + '\n'

/** What the console says for whoever keeps records. */
const records = (lines: readonly string[], event: string) =>
  lines
    .filter((line) => line.startsWith('CC-AUDIT '))
    .map((line) => JSON.parse(line.slice('CC-AUDIT '.length)) as Record<string, unknown>)
    .filter((record) => record['event'] === event)

/** A production image whose keys come from a broker on this host. */
let image: string
let certificates: string
let broker: Awaited<ReturnType<typeof startBroker>>
let answers: Answers = () => null
/** Whose time the image takes. */
let time: TimeServer

beforeAll(async () => {
  certificates = folder('certificates')
  makeCertificates(certificates)
  execFileSync('chmod', ['-R', 'a+rX', certificates])
  broker = await startBroker(certificates, (resource) => answers(resource))
  time = await startTimeServer(certificates)
  const client = standInClient()
  const sha256 = createHash('sha256').update(readFileSync(client)).digest('hex')
  const hook = standIn('openssl-hook')
  const sets = [
    'profile=production',
    'os.packages=[openssl]',
    `os.files=[{path: /etc/initramfs-tools/hooks/openssl, from: ${hook}, mode: "0755"}, {path: /etc/cc/time-ca.pem, from: ${join(certificates, 'ca.pem')}}]`,
    `kbs.clock={servers: ["10.0.2.2:${time.port}"], authorities: /etc/cc/time-ca.pem, timeoutSeconds: 40}`,
    'layout.partitions.cc-root.key=kbs',
    'layout.partitions.cc-app.key=kbs',
    `kbs={url: https://10.0.2.2:${broker.port}, caFile: ${join(certificates, 'ca.pem')}, timeoutSeconds: 20, attempts: 2}`,
    `kbs={client: ${client}, clientSha256: ${sha256}, resource: "site/keys/{partition}"}`,
  ]
  const result = await cc('cc-image-installer', [
    ...['--iso', lab().iso['debian-12'], '--output', join(folder('kbs-build'), 'build'), '--json'],
    ...sets.flatMap((set) => ['--set', set]),
  ])
  image = buildOf(result).image
}, timeoutMs)
afterAll(() => {
  broker.server.close()
  time.process.kill()
})
beforeEach(() => {
  broker.asked.length = 0
  broker.present(certificates)
})

describe('a production image with the key source kbs', {timeout: timeoutMs}, () => {
  async function start(name: string, options: {snp?: boolean; network?: boolean; clock?: string} = {}): Promise<Boot> {
    const {snp = true, network = true, clock = 'utc'} = options
    const copy = copyImage(`kbs-${name}`, image)
    if (snp) pretendSnp(copy)
    return boot(copy, {rootKey: null, network, clock, timeoutMs})
  }

  function expectRefused({console: lines, ended}: Boot, reason: RegExp): void {
    expect(ended, lines.join('\n')).toBe('powered-off')
    expect(lines.filter((line) => line.includes('cc: FAILED:'))).toEqual([expect.stringMatching(reason)])
  }

  it('without a TEE asks nobody, never opens its root, and powers off saying why', async () => {
    const result = await start('no-tee', {snp: false})
    expectRefused(result, /cc-root cc-app: no key: this machine is not confidential: .*; powering off/)
    expect(broker.asked).toEqual([])
  })

  it('comes up with the keys of the broker, and the network of the initrd is gone', async () => {
    answers = (resource) => ({
      status: 200,
      body: resource === 'site/keys/cc-root' ? key(image, 'root.key') : `${'A'.repeat(44)}\n`,
    })
    const {console: lines, ended} = await start('good')
    expect(ended, lines.join('\n')).toBe('came-up')
    expect(broker.asked).toEqual(['site/keys/cc-root', 'site/keys/cc-app'])
    const report = lines.find((line) => line.includes('CC-BOOT {')) ?? ''
    expect(report).toMatch(/"name":"cc-root","state":"encrypted".*"name":"cc-app","state":"encrypted"/)
    expect(records(lines, 'key-release').map(({resource, result, reason}) => [resource, result, reason])).toEqual([
      ['site/keys/cc-root', 'released', ''],
      ['site/keys/cc-app', 'released', ''],
    ])
  })

  it('does not open with another key, nor with garbage, a refusal, silence', async () => {
    answers = () => ({status: 200, body: `${Buffer.alloc(32, 7).toString('base64')}\n`})
    expectRefused(await start('wrong-key'), /cc-root: the key does not open it/)
    answers = () => ({status: 200, body: '<html>login</html>'})
    expectRefused(await start('garbage'), /cc-root: no key from 'kbs': the answer of the key broker is not base64/)
    answers = () => ({status: 401, body: ''})
    expectRefused(await start('refusal'), /cc-root: no key from 'kbs': .*after 2 attempts: .*the broker says 401/)
    answers = () => null
    const silence = await start('silence')
    expectRefused(silence, /cc-root: no key from 'kbs': .*no answer within 20 seconds/)
    expect(records(silence.console, 'key-release')).toEqual([
      expect.objectContaining({
        partition: 'cc-root',
        result: 'unreachable',
        id: expect.stringMatching(/^[\da-f]{8}$/) as string,
      }),
    ])
  })

  it('does not take a key from a broker with another certificate', async () => {
    const others = folder('other-certificates')
    makeCertificates(others)
    broker.present(others)
    answers = () => ({status: 200, body: key(image, 'root.key')})
    expectRefused(
      await start('other-ca'),
      /cc-root: no key from 'kbs': .*(the certificate or the connection|its certificate is not one of)/,
    )
    expect(broker.asked).toEqual([])
  })

  it('sets its clock before it looks at the certificate of the broker', async () => {
    // Valid today, and no more at the time that the host pretends.
    const shortLived = folder('short-lived-certificates')
    cpSync(certificates, shortLived, {recursive: true})
    signServer(shortLived, 1)
    broker.present(shortLived)
    answers = (resource) => ({
      status: 200,
      body: resource === 'site/keys/cc-root' ? key(image, 'root.key') : `${'A'.repeat(44)}\n`,
    })
    const clock = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 19)
    const {console: lines, ended} = await start('later', {clock})
    expect(ended, lines.join('\n')).toBe('came-up')
  })

  it('powers off where the servers of its clock prove nothing, or are silent', async () => {
    answers = () => ({status: 200, body: key(image, 'root.key')})
    // At that time no certificate of today is valid.
    expectRefused(
      await start('long-ago', {clock: '2001-01-01T00:00:00'}),
      /the clock: no time from 10\.0\.2\.2:\d+ .*certificate/,
    )
    time.process.kill('SIGSTOP')
    try {
      expectRefused(await start('no-time'), /the clock: no time from 10\.0\.2\.2:\d+ within 40 seconds/)
    } finally {
      time.process.kill('SIGCONT')
    }
    expect(broker.asked).toEqual([])
  })

  it('without a network says so', async () => {
    expectRefused(await start('no-network', {network: false}), /the network: there is no interface/)
  })
})

/** The whole way for production: FLARE and a site in an image whose root, kit and workspace have keys of the broker. */
describe('a hardened production image', {timeout: timeoutMs}, () => {
  let hardened: string

  beforeAll(async () => {
    const output = folder('kbs-hardened')
    const flare = buildOf(
      await cc('nvflare-cc-builder', ['--image', image, '--output', output, '--size', '6G', '--json']),
    )
    const application = folder('kbs-application')
    const requirements = join(application, 'requirements.txt')
    const kit = standInKit(join(application, 'kit'), '')
    writeFileSync(requirements, '')
    giveToUser(application)
    const words = ['--image', flare.image, '--output', output, '--requirements', requirements, '--startup-kit', kit]
    words.push('--set', 'attestation.recheck={every: 10s, failures: 2, networkFailures: 2}')
    hardened = buildOf(await cc('nvflare_cc_hardening_builder', [...words, '--role', 'client', '--json'])).image
  }, timeoutMs)

  it('starts FLARE with the keys of the broker, and tells the host no more of the site than that', async () => {
    answers = (resource) => {
      const file = {'site/keys/cc-root': 'root.key', 'site/keys/cc-ro': 'ro.key'}[resource]
      return {status: 200, body: file === undefined ? `${'A'.repeat(44)}\n` : key(hardened, file)}
    }
    const copy = copyImage('kbs-hardened-good', hardened)
    pretendSnp(copy)
    const options = {rootKey: null, network: true, memory: '2048', timeoutMs}
    const {console: lines, ended} = await boot(copy, {...options, until: 'cc: ready'})
    expect(ended, lines.join('\n')).toBe('came-up')
    expect([...broker.asked].sort()).toEqual(['site/keys/cc-app', 'site/keys/cc-ro', 'site/keys/cc-root'])
    expect(lines).toContain('cc: hardened')
    expect(lines.filter((line) => /CC-(HARDENED|READY)|INSECURE/.test(line))).toEqual([])
  })

  /** What the broker says at boot, and then, round by round, while the machine runs. */
  function afterBoot(...rounds: ReturnType<Answers>[]): Answers {
    let asked = 0
    return (resource) => {
      const atBoot = {'site/keys/cc-root': 'root.key', 'site/keys/cc-ro': 'ro.key'}[resource]
      const body = atBoot === undefined ? `${'A'.repeat(44)}\n` : key(hardened, atBoot)
      const answer = asked < 3 ? {status: 200, body} : (rounds[asked - 3] ?? rounds.at(-1) ?? null)
      asked += 1
      return answer?.status === 200 ? {status: 200, body} : answer
    }
  }
  const audit = (lines: readonly string[]) => records(lines, 'attestation')
  async function run(name: string): Promise<Boot> {
    const copy = copyImage(`kbs-recheck-${name}`, hardened)
    pretendSnp(copy)
    return boot(copy, {rootKey: null, network: true, memory: '2048', timeoutMs, until: 'nothing ends it'})
  }

  it('stops when the broker withdraws its keys, in two rounds, and tells nothing secret of it', async () => {
    const [good, denied] = [
      {status: 200, body: ''},
      {status: 401, body: ''},
    ]
    // A refused round asks as often as is configured: twice.
    answers = afterBoot(good, denied, denied, good, denied)
    const {console: lines, ended} = await run('withdrawn')
    expect(ended, lines.join('\n')).toBe('powered-off')
    expect(lines).toContain('cc: ready')
    expect(
      audit(lines).map(({result, refused}) => [result, refused]),
      lines.join('\n'),
    ).toEqual([
      ['passed', 0],
      ['refused', 1],
      ['passed', 0],
      ['refused', 1],
      ['refused', 2],
    ])
    expect(new Set(audit(lines).map(({id}) => id)).size).toBe(5)
    const failures = lines.filter((line) => line.includes('cc: FAILED:'))
    expect(failures).toEqual([
      expect.stringMatching(/^cc: FAILED: attestation: refusals in a row: 2; .*; powering off$/),
    ])
    for (const name of ['root.key', 'ro.key']) expect(lines.join('\n')).not.toContain(key(hardened, name).trim())
  })

  it('stops when the broker is silent for as long as is configured', async () => {
    answers = afterBoot({status: 200, body: ''}, null)
    const {console: lines, ended} = await run('silent')
    expect(ended, lines.join('\n')).toBe('powered-off')
    expect(
      audit(lines).map(({result, unreachable}) => [result, unreachable]),
      lines.join('\n'),
    ).toEqual([
      ['passed', 0],
      ['unreachable', 1],
      ['unreachable', 2],
    ])
    const failures = lines.filter((line) => line.includes('cc: FAILED:'))
    expect(failures).toEqual([expect.stringContaining('attestation: rounds without an answer: 2; ')])
  })

  it('without a TEE powers off, whatever keys the host has', async () => {
    const {console: lines, ended} = await boot(copyImage('kbs-hardened-no-tee', hardened), {network: true, timeoutMs})
    expect(ended, lines.join('\n')).toBe('powered-off')
    const failures = lines.filter((line) => line.includes('cc: FAILED:'))
    expect(failures).toEqual([expect.stringMatching(/no key: this machine is not confidential: .*; powering off/)])
    expect(broker.asked).toEqual([])
  })
})
