import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {runTasks} from '../build/index.js'
import {parseConfig} from '../config/index.js'
import {encodeManifest, type Manifest} from '../manifest/index.js'
import {SilentReporter} from '../ui/index.js'
import {planProvenance} from './provenance.js'

let root: string
const path = (name: string) => join(root, name)
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-provenance-'))
})
afterAll(() => {
  rmSync(root, {recursive: true})
})

const sha = (text: string) => createHash('sha256').update(text).digest('hex')
const manifest: Manifest = {
  ...{version: 1, name: 'image', stage: 'flare', tool: 'cc-flare-builder 1.2.3', profile: 'production'},
  ...{config: {os: {hostname: 'cc'}}, distribution: 'ubuntu-24.04', buildKey: sha('key'), cmdline: ''},
  ...{source: {kind: 'image', label: 'base', sha256: sha('base')}, sourceDateEpoch: 1704067200},
  ...{initrd: {sealOffset: 0}, disk: {bytes: 0}, partitions: [], artefacts: {}},
  amd: [{name: 'fix.patch', sha256: sha('patch'), kind: 'patch', target: 'linux 6.8'}],
  packages: [],
}
const component = {kind: 'package', name: 'n', version: '1', licenses: [], supplier: null, homepage: null} as const
const components = [
  {...component, id: 'a', purl: 'pkg:deb/ubuntu/libc6@2.39', sha256: null},
  {...component, id: 'b', purl: 'pkg:pypi/foo@1', sha256: sha('wheel')},
]

async function write(signing: Record<string, unknown> = {}) {
  writeFileSync(path('manifest.json'), encodeManifest(manifest))
  const tasks = await planProvenance(parseConfig({signing}), root, () => components)
  await runTasks(tasks, {reporter: new SilentReporter(), logDir: root})
  return JSON.parse(readFileSync(path('provenance.json'), 'utf8')) as Record<string, unknown>
}

/** The schemas of in-toto and SLSA, as far as they demand something. */
function expectStatement(statement: Record<string, unknown>): void {
  expect(statement).toMatchObject({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: expect.stringMatching(/^[a-z]+:/) as string,
        externalParameters: expect.any(Object) as object,
      },
      runDetails: {builder: {id: expect.stringMatching(/^[a-z]+:/) as string}},
    },
  })
}

describe('the provenance of an image', () => {
  it('is about its manifest, and names what it was made from', async () => {
    const statement = await write()
    expectStatement(statement)
    const text = readFileSync(path('manifest.json'), 'utf8')
    expect(statement['subject']).toEqual([{name: 'manifest.json', digest: {sha256: sha(text)}}])
    expect(statement['predicate']).toMatchObject({
      buildDefinition: {
        externalParameters: {config: {os: {hostname: 'cc'}}},
        internalParameters: {buildKey: sha('key'), sourceDateEpoch: 1704067200},
        resolvedDependencies: [
          {uri: 'image:base', digest: {sha256: sha('base')}},
          {uri: 'patch:fix.patch', digest: {sha256: sha('patch')}},
          {uri: 'pkg:deb/ubuntu/libc6@2.39'},
          {uri: 'pkg:pypi/foo@1', digest: {sha256: sha('wheel')}},
        ],
      },
      runDetails: {builder: {id: 'pkg:npm/cc-flare-builder@1.2.3'}},
    })
  })

  it('is the same of two builds', async () => {
    expect(await write()).toEqual(await write())
  })
})

describe('a signature', () => {
  const verifies = (file: string, publicKey: string) => {
    writeFileSync(path('binary'), Buffer.from(readFileSync(path(`${file}.sig`), 'utf8'), 'base64'))
    try {
      execFileSync('openssl', ['dgst', '-sha256', '-verify', publicKey, '-signature', path('binary'), path(file)])
      return true
    } catch {
      return false
    }
  }

  it.each([
    ['an EC key', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']],
    ['an RSA key', ['genpkey', '-quiet', '-algorithm', 'RSA']],
  ])('of manifest and provenance, by %s, is one that openssl accepts', async (_, words) => {
    execFileSync('openssl', [...words, '-out', path('key')], {stdio: 'ignore'})
    execFileSync('openssl', ['pkey', '-in', path('key'), '-pubout', '-out', path('public')])
    await write({key: path('key')})
    for (const file of ['manifest.json', 'provenance.json']) {
      expect(verifies(file, path('public')), file).toBe(true)
      writeFileSync(path(file), `${readFileSync(path(file), 'utf8')} `)
      expect(verifies(file, path('public')), file).toBe(false)
    }
  })

  it('is refused by a key that cannot sign, with what to do', async () => {
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', path('ed25519')])
    await expect(write({key: path('ed25519')})).rejects.toMatchObject({
      code: 'E_KEY',
      message: expect.stringContaining(`signing.key: openssl cannot sign with '${path('ed25519')}'`) as string,
    })
    writeFileSync(path('text'), 'no key')
    await expect(write({key: path('text')})).rejects.toMatchObject({
      code: 'E_KEY',
      message: expect.stringContaining('is no private key that can be read without a passphrase') as string,
    })
  })
})
