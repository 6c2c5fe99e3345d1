import {randomBytes} from 'node:crypto'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'

import {isAtLeast} from 'cc-core/host'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cmdlineProblems} from '../judges/boot-files.js'
import {shellLines} from '../judges/console-text.js'
import {entropy, lowestEntropy, randomBits} from './entropy.js'
import {metadataProblems} from './luks.js'
import {searchFile, writtenForms} from './search.js'

let dir: string
const file = (content: string | Buffer) => {
  writeFileSync(join(dir, 'file'), content)
  return join(dir, 'file')
}
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-image-'))
})
afterEach(() => {
  rmSync(dir, {recursive: true})
})

describe('searchFile', () => {
  it('finds a secret wherever it lies, also across two reads', async () => {
    const secret = Buffer.from('0123456789')
    for (const offset of [0, 1, 59, 60, 63, 64, 118, 190]) {
      const content = Buffer.alloc(200, 'x')
      secret.copy(content, offset)
      expect(await searchFile(file(content), {secret}, 64), `at ${offset}`).toEqual(['secret'])
    }
    expect(await searchFile(file('x012345678x9'), {secret}, 64)).toEqual([])
  })

  it('finds each form of a key', async () => {
    const key = Buffer.alloc(32, 0xfb) // Both forms of base64 differ.
    const forms = writtenForms('key', key)
    const written = [
      key,
      key.toString('hex'),
      key.toString('hex').toUpperCase(),
      key.toString('base64'),
      key.toString('base64url'),
    ]
    expect(Object.keys(forms)).toHaveLength(5)
    for (const [index, form] of Object.keys(forms).entries()) {
      const content = Buffer.concat([Buffer.from('x'), Buffer.from(written[index] ?? ''), Buffer.from('x')])
      expect(await searchFile(file(content), forms)).toContain(form)
    }
    expect(Object.keys(writtenForms('key', Buffer.alloc(32)))).toHaveLength(4)
  })
})

describe('entropy', () => {
  it('tells random bytes from text, compressed text and zeros', async () => {
    const random = randomBytes(1024 * 1024)
    expect((await lowestEntropy(file(random))).bits).toBeGreaterThan(randomBits(65536))
    const text = Buffer.from(Array.from({length: 200_000}, (_, index) => `${index} word\n`).join(''))
    for (const other of [text, gzipSync(text), Buffer.alloc(65536)]) {
      expect((await lowestEntropy(file(other))).bits).toBeLessThan(randomBits(65536))
    }
    random.fill(0, 300_000, 310_000)
    expect(await lowestEntropy(file(random), 16)).toMatchObject({offset: 262144})
  })

  it('is 0 for one value, 8 for all values, and judges a small file by its size', async () => {
    expect(entropy(Buffer.alloc(100, 7))).toBe(0)
    expect(entropy(Buffer.from(Array.from({length: 256}, (_, index) => index)))).toBe(8)
    const {bits, length} = await lowestEntropy(file(randomBytes(8192)))
    expect([length, bits > randomBits(length)]).toEqual([8192, true])
  })
})

describe('cmdlineProblems', () => {
  const good =
    'console=ttyS0 quiet loglevel=4 panic=1 oops=panic systemd.gpt_auto=0 systemd.swap=0 ' +
    'systemd.import_credentials=no random.trust_bootloader=off efi=noruntime'

  it('accepts ours, with words that do no harm', () => {
    expect(cmdlineProblems(good)).toEqual([])
    expect(cmdlineProblems(`${good} mitigations=auto initcall_debug`)).toEqual([])
  })

  it.each(
    (
      'init=/bin/sh rdinit=/bin/sh break break=mount rd.break rd.shell=1 systemd.debug-shell systemd.debug_shell=1 ' +
      'systemd.unit=rescue.target systemd.run=/bin/sh single S 1 emergency boot=local root=/dev/vda debug'
    ).split(' '),
  )('refuses %s', (word) => {
    expect(cmdlineProblems(`${good} ${word}`)).toEqual([`'${word}' is dangerous`])
  })

  it('sees a safeguard that is missing, and one that a later word undoes', () => {
    expect(cmdlineProblems(good.replace('panic=1 ', ''))).toEqual(["'panic=1' is missing"])
    expect(cmdlineProblems(`${good} panic=0`)).toEqual(["'panic' is used 2 times: panic=1 panic=0"])
  })
})

describe('shellLines', () => {
  it.each([
    '(initramfs) ',
    'BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)',
    "/bin/sh: can't access tty; job control turned off",
    'You are in emergency mode. After logging in, type "journalctl -xb"',
    'Give root password for maintenance',
    'Press Enter for maintenance',
    'sh-5.2# ',
    'bash-5.2$ ls',
    'root@cc:~# ',
    '~ # ',
    '/ # ',
  ])('knows %j', (line) => {
    expect(shellLines(['ok', line])).toEqual([`'${line.trim()}'`])
  })

  it('takes no ordinary line for one', () => {
    const lines = ['Debian GNU/Linux 12 cc ttyS0', 'cc login: ', 'cc: FAILED: x; powering off', '# comment', 'a ~ # b']
    expect(shellLines(lines)).toEqual([])
  })
})

describe('metadataProblems', () => {
  const cipher = 'aes-xts-plain64'
  const good = {
    keyslots: {'0': {type: 'luks2', key_size: 64, area: {encryption: cipher, key_size: 64}}},
    segments: {'0': {type: 'crypt', encryption: cipher, offset: '0', size: 'dynamic', sector_size: 4096}},
    digests: {'0': {}},
    tokens: {},
    config: {json_size: '12288'},
  }
  const [slot, segment] = [good.keyslots['0'], good.segments['0']]

  it('accepts the form that the seal makes', () => {
    expect(metadataProblems(good)).toEqual([])
  })

  it.each([
    [{segments: {'0': {...segment, encryption: 'cipher_null-ecb'}}}, 'segment: the encryption is "cipher_null-ecb"'],
    [{segments: {'0': segment, '1': segment}}, 'it has 2 segments'],
    [{segments: {'0': {...segment, type: 'linear'}}}, 'segment: the type is "linear"'],
    [{segments: {'0': {...segment, integrity: {}}}}, 'segment: the integrity is {}'],
    [{keyslots: {'0': slot, '1': slot}}, 'it has 2 keyslots'],
    [{keyslots: {'0': {...slot, area: {}}}}, 'keyslot: the area encryption is missing'],
    [{keyslots: {}}, 'it has 0 keyslots'],
    [{tokens: {'0': {}}}, 'it has tokens'],
    [{config: {requirements: {mandatory: ['online-reencrypt']}}}, 'it has requirements'],
    [{config: {flags: ['allow-discards']}}, 'it has flags'],
    [{digests: []}, 'it has 0 digests'],
  ])('refuses %j', (change, problem) => {
    expect(metadataProblems({...good, ...change})).toContain(problem)
  })

  it.each([null, [], 'x', 7])('refuses %j', (json) => {
    expect(metadataProblems(json)).toContain('it has 0 segments')
  })
})

it('compares versions by number', () => {
  expect(isAtLeast('7.2.22', '6.2')).toBe(true)
  expect(isAtLeast('6.10', '6.2')).toBe(true)
  expect(isAtLeast('6.2', '6.2')).toBe(true)
  expect(isAtLeast('6.1.9', '6.2')).toBe(false)
  expect(isAtLeast('20', '20.19')).toBe(false)
})
