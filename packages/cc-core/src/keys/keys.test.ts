import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {encodeImageConfig, loadConfig, parseConfig} from '../config/index.js'
import {planKeys, resolveKeys} from './index.js'

const folder = mkdtempSync(join(tmpdir(), 'cc-keys-'))
const path = (name: string) => join(folder, name)
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A certificate of our own, by the tool that people use. */
function certificate(name: string, days: string[]): void {
  const subject = ['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`)]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ed25519', '-nodes', ...subject, ...days], {stdio: 'ignore'})
}

beforeAll(() => {
  certificate('ca', ['-days', '2'])
  certificate('second', ['-days', '2'])
  writeFileSync(path('client'), 'a program')
  writeFileSync(path('noise'), 'no certificate')
  writeFileSync(path('broken'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  writeFileSync(path('both'), readFileSync(path('ca.pem'), 'utf8') + readFileSync(path('ca.key'), 'utf8'))
  writeFileSync(path('two'), `text\n${readFileSync(path('ca.pem'), 'utf8')}${readFileSync(path('second.pem'), 'utf8')}`)
})
afterAll(() => {
  rmSync(folder, {recursive: true})
})

const config = (...sets: string[]) => loadConfig(null, ['layout.partitions.cc-root.key=kbs', ...sets])
const good = () => [
  'kbs.url=https://kbs.example',
  `kbs.caFile=${path('ca.pem')}`,
  `kbs.client=${path('client')}`,
  `kbs.clientSha256=${sha256('a program')}`,
]

describe('resolveKeys', () => {
  it('leaves a configuration alone that needs no key broker', async () => {
    const plain = loadConfig(null, ['kbs.caFile=/does/not/exist'])
    expect(await resolveKeys(plain)).toBe(plain)
  })

  it('takes the certificate into the configuration, and the next stage needs no file of this host', async () => {
    const resolved = await resolveKeys(config(...good()))
    expect(resolved.kbs).toMatchObject({ca: readFileSync(path('ca.pem'), 'utf8'), caFile: null})
    const next = parseConfig(encodeImageConfig(resolved))
    expect(next.kbs).toMatchObject({ca: resolved.kbs.ca, client: null, url: 'https://kbs.example'})
    expect(await resolveKeys(next)).toEqual(next)
  })

  it('takes all certificates of a file, and nothing else', async () => {
    const {kbs} = await resolveKeys(config(...good(), `kbs.caFile=${path('two')}`))
    expect(kbs.ca).toBe(readFileSync(path('ca.pem'), 'utf8') + readFileSync(path('second.pem'), 'utf8'))
  })

  it.each([
    [['kbs.caFile=null'], 'kbs.caFile: the certificate of the key broker is needed'],
    [['kbs.url=null'], "kbs.url: the key source 'kbs' of cc-root needs the URL"],
    [['kbs.caFile=/none'], "kbs.caFile: cannot read '/none'"],
    [[`kbs.caFile=${path('noise')}`], 'holds no certificate in PEM form'],
    [[`kbs.caFile=${path('broken')}`], 'holds what is no certificate'],
    [[`kbs.caFile=${path('both')}`], 'holds a private key'],
    [['kbs.ca=x'], 'only one of them'],
    [['kbs.clientSha256=null'], 'kbs.clientSha256: is needed'],
    [['kbs.client=/none'], "kbs.client: there is no file '/none'"],
    [['kbs.resource=a/b/c', 'layout.partitions.cc-app.key=kbs'], 'is the same for cc-root, cc-app'],
    [['kbs.network.gateway=192.0.2.1'], 'kbs.network.gateway: is only for a fixed address'],
  ])('refuses %j', async (sets, reason) => {
    await expect(resolveKeys(config(...good(), ...sets))).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining(reason) as string,
    })
  })

  it('refuses a certificate that has ended', async () => {
    // Only the command ca can write an end of one's own in every version of OpenSSL.
    writeFileSync(path('index'), '')
    writeFileSync(path('serial'), '01')
    writeFileSync(
      path('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=${folder}\ndatabase=${path('index')}\nserial=${path('serial')}\npolicy=p\n[p]\ncommonName=supplied\n`,
    )
    const request = ['req', '-new', '-key', path('ca.key'), '-subj', '/CN=ended', '-out', path('request')]
    execFileSync('openssl', request, {stdio: 'ignore'})
    const sign = ['ca', '-batch', '-config', path('ca.cnf'), '-selfsign', '-keyfile', path('ca.key'), '-md', 'null']
    const times = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z']
    execFileSync('openssl', [...sign, ...times, '-in', path('request'), '-out', path('ended.pem'), '-notext'], {
      stdio: 'ignore',
    })
    await expect(resolveKeys(config(...good(), `kbs.caFile=${path('ended.pem')}`))).rejects.toThrow(
      'has a certificate that ended',
    )
  })

  it('refuses a client that is not the configured one', async () => {
    await expect(resolveKeys(config(...good(), `kbs.clientSha256=${'a'.repeat(64)}`))).rejects.toMatchObject({
      code: 'E_SHA256',
    })
  })

  it('names everything at once', async () => {
    const error = await resolveKeys(config()).then(String, String)
    expect(error).toContain('kbs.url')
    expect(error).toContain('kbs.caFile')
  })
})

describe('the section kbs', () => {
  it.each([
    ['kbs.url=http://kbs.example', 'expected a URL that begins with https://'],
    ['kbs.url=https://kbs.example/?a=b', 'without query'],
    ['kbs.resource=only/two', 'expected REPOSITORY/TYPE/TAG'],
    ['kbs.resource=a/../b/c', 'expected REPOSITORY/TYPE/TAG'],
    ['kbs.network.address=192.0.2.1', 'expected an address with prefix'],
    ['kbs.network.address=192.0.2.999/24', 'expected an IPv4 address with prefix'],
    ['kbs.network.dns=[x]', 'expected an IPv4 address'],
    ['kbs.timeoutSeconds=0', 'expected'],
    ['kbs.clock.servers=["a b"]', 'expected a server like time.example.org'],
    ['kbs.clock.servers=["-x"]', 'expected a server like time.example.org'],
    ['kbs.clock={servers: [a], agreeing: 2}', 'expected at most as many as there are servers'],
    ['kbs.clock.authorities=relative', 'expected'],
    ['teeDerived.fields=[policy]', "expected 'measurement' among them"],
    ['teeDerived.vmpl=4', 'expected'],
    ['teeDerived.fields=[measurement, svn]', "expected 'svn' among the fields and as a value"],
    ['teeDerived.svn=1', "expected 'svn' among the fields and as a value"],
    ['teeDerived.fields=[measurement, tcb-version]', "expected 'tcb-version' among the fields and tcbVersion"],
    ['teeDerived.tcbVersion="0x1"', "expected 'tcb-version' among the fields and tcbVersion"],
    ['teeDerived.tcbVersion="11"', 'expected a TCB version as a hexadecimal number'],
    ['launch.policy="0x10000"', 'expected a policy with bit 0x20000'],
    ['launch.policy="3"', "expected a policy with bit 0x20000, which the firmware demands, got '0x3'"],
    ['launch.policy="0xzz"', 'expected a guest policy as a whole number'],
    ['launch.guestFeatures="0x20"', 'expected SEV_FEATURES with bit 0x1'],
    ['attestation.snpguest.version=0.9.2', 'expected 0.10.0 or newer'],
  ])('refuses %s', (set, reason) => {
    expect(() => loadConfig(null, [set])).toThrow(reason)
  })
})

describe('planKeys', () => {
  it('names the key sources once, and what kbs needs', async () => {
    const {argv} = await planKeys(config(...good(), 'layout.partitions.cc-app.key=kbs'), '/tree')
    const words = argv.join(' ')
    expect(words).toContain('--key-source kbs --key-source key-file --root-key-source kbs')
    expect(words).toContain(`--kbs-client ${path('client')} --kbs-client-sha256 ${sha256('a program')}`)
  })
})
