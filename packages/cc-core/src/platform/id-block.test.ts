import {createHash, generateKeyPairSync} from 'node:crypto'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {runTasks} from '../build/index.js'
import type {Measurement} from '../manifest/index.js'
import {SilentReporter} from '../ui/index.js'
import {planMeasure, readIdBlock, standInFirmware} from './index.js'

// Signed by the library of sev-snp-measure, and read back by our own reader, which shares no line with it.
let root: string
const path = (name: string) => join(root, name)
/** Installed once for all tests, as in builds. */
const tools = join(tmpdir(), 'cc-measure-tools')

function writeKey(name: string, namedCurve: string, passphrase?: string): string {
  const {privateKey} = generateKeyPairSync('ec', {
    namedCurve,
    publicKeyEncoding: {type: 'spki', format: 'pem'},
    privateKeyEncoding: {type: 'pkcs8', format: 'pem', ...(passphrase && {cipher: 'aes-256-cbc', passphrase})},
  })
  writeFileSync(path(name), privateKey, {mode: 0o600})
  return path(name)
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-id-block-'))
  writeFileSync(path('ovmf'), standInFirmware())
  for (const name of ['kernel', 'initrd']) writeFileSync(path(name), `${name}\n`.repeat(1000))
  for (const name of ['id', 'author']) writeKey(name, 'P-384')
})
afterAll(() => {
  rmSync(root, {recursive: true})
})

const ids = {svn: 7, familyId: '00ff'.repeat(8), imageId: 'a0'.repeat(16)}

async function sign(idBlock: Record<string, unknown> = {}, launch: Record<string, unknown> = {}): Promise<Measurement> {
  const keys = {idKey: path('id'), authorKey: path('author')}
  const plan = await planMeasure({
    launch: parseConfig({
      launch: {
        ovmf: path('ovmf'),
        vcpus: [1, 2],
        policy: '0x130000',
        idBlock: {...keys, ...ids, ...idBlock},
        ...launch,
      },
    }).launch,
    ...{kernel: path('kernel'), initrd: path('initrd'), cmdline: 'a=b', tools, work: root},
  })
  await runTasks(plan.tasks, {reporter: new SilentReporter(), logDir: root})
  const measurement = await plan.result()
  if (measurement === null) throw new Error('nothing was measured')
  return measurement
}

/** The block of the first entry, with one bit changed in one of its parts. */
function flipped({entries: [entry]}: Measurement, part: 'idBlock' | 'idAuth', offset: number) {
  const {idBlock = '', idAuth = ''} = entry ?? {}
  const bytes = Buffer.from({idBlock, idAuth}[part], 'base64')
  bytes[offset] = (bytes[offset] ?? 0) ^ 1
  return {idBlock, idAuth, [part]: bytes.toString('base64')}
}

describe('an ID block', () => {
  it('says digest, policy, ids and SVN of each entry, signed by the ID key, and that by the author key', async () => {
    const measurement = await sign()
    expect(measurement.entries).toHaveLength(2)
    for (const {digest, idBlock = '', idAuth = ''} of measurement.entries) {
      const {idKeyDigest, authorKeyDigest, ...said} = readIdBlock({idBlock, idAuth})
      expect(said).toEqual({digest, ...ids, policy: '0x130000'})
      expect(measurement.idBlock).toEqual({...ids, idKeyDigest, authorKeyDigest})
      expect(idKeyDigest).not.toBe(authorKeyDigest)
    }
    // The same keys have the same digests, as the one who checks reports was told; the signatures differ.
    expect((await sign()).idBlock).toEqual(measurement.idBlock)
  }, 120_000)

  it('is not believed with one bit changed, wherever it is', async () => {
    const measurement = await sign()
    const wrong: [part: 'idBlock' | 'idAuth', offset: number, message: RegExp][] = [
      ...[0, 47, 48, 64, 84, 88, 95].map((at) => ['idBlock', at, /ID key has not signed the ID block/] as const),
      ['idBlock', 80, /version 0, not 1/],
      // The signature; a coordinate of the key, which then is no point of the curve; its curve.
      ['idAuth', 64, /ID key has not signed the ID block/],
      ['idAuth', 576, /on the curve 3, not 2/],
      ['idAuth', 1664, /author key has not signed the ID key/],
      ['idAuth', 1000, /author key has not signed the ID key/],
    ].map(([part, at, message]) => [part as 'idBlock', at as number, message as RegExp])
    for (const [part, at, message] of wrong)
      expect(() => readIdBlock(flipped(measurement, part, at)), `${part} ${at}`).toThrow(message)
    expect(() => readIdBlock(flipped(measurement, 'idAuth', 580))).toThrow()
    expect(() => readIdBlock({idBlock: '', idAuth: ''})).toThrow('an ID block of 0 bytes, not 96')
    const {idBlock = ''} = measurement.entries[0] ?? {}
    expect(() => readIdBlock({idBlock, idAuth: 'AAAA'})).toThrow('of 3 bytes, not 4096')
  }, 120_000)

  it('has the digest that a report of the firmware has of the key: SHA-384 of its own form', async () => {
    const {entries, idBlock} = await sign()
    const key = Buffer.from(entries[0]?.idAuth ?? '', 'base64').subarray(576, 576 + 1028)
    expect(idBlock?.idKeyDigest).toBe(createHash('sha384').update(key).digest('hex'))
  }, 120_000)

  it('is refused where the tool has signed something else', async () => {
    const tool = path('tool')
    // A tool of the same words, whose block is one of zeros.
    const zeros = (bytes: number) => Buffer.alloc(bytes).toString('base64')
    const block = `printf '%s' '${zeros(96)}' >"\${@: -3:1}" && printf '%s' '${zeros(4096)}' >"\${@: -1}"`
    const text = `case "$*" in --version) echo snpguest 0.11.0 ;; *measurement*) printf '%096d' 1 ;; *id-block*)\n${block} ;; esac`
    writeFileSync(tool, `#!/bin/bash\n${text}\n`, {mode: 0o755})
    await expect(sign({}, {tool})).rejects.toMatchObject({
      code: 'E_STEP_FAILED',
      message: expect.stringContaining('has made an unusable ID block: an ID block of version 0, not 1') as string,
    })
  })

  it('is not signed where the tool fails, or has no library to call; the reason is shown', async () => {
    const tool = path('tool')
    const words = (name: string) =>
      `case "$*" in --version) echo '${name} 0.11.0' ;; *'generate id-block'*) echo wrong curve >&2; exit 1 ;; *) printf '%096d' 1 ;; esac`
    writeFileSync(tool, `#!/bin/bash\n${words('snpguest')}\n`, {mode: 0o755})
    await expect(sign({}, {tool})).rejects.toMatchObject({
      code: 'E_STEP_FAILED',
      message: expect.stringContaining('snpguest failed: wrong curve') as string,
    })
    writeFileSync(tool, `#!/usr/bin/env bash\n${words('sev-snp-measure')}\n`, {mode: 0o755})
    await expect(sign({}, {tool})).rejects.toMatchObject({
      code: 'E_HOST_TOOL',
      message: expect.stringContaining(`bash, the interpreter of '${tool}', does not have its library`) as string,
    })
  })

  it('is not planned with keys that cannot sign it', async () => {
    writeFileSync(path('text'), 'no key', {mode: 0o600})
    const refused: [idBlock: Record<string, unknown>, message: string][] = [
      [
        {idKey: writeKey('p256', 'P-256')},
        `launch.idBlock.idKey: '${path('p256')}' is a key of the kind prime256v1, expected P-384`,
      ],
      [
        {authorKey: writeKey('locked', 'P-384', 'x')},
        `launch.idBlock.authorKey: '${path('locked')}' is no private key that`,
      ],
      [{idKey: path('text')}, `launch.idBlock.idKey: '${path('text')}' is no private key that can be read`],
      [{authorKey: path('id')}, 'are the same key'],
    ]
    for (const [idBlock, message] of refused)
      await expect(sign(idBlock)).rejects.toMatchObject({
        code: 'E_KEY',
        message: expect.stringContaining(message) as string,
      })
  })
})
