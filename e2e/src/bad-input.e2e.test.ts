import {execFileSync} from 'node:child_process'
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {cc, folder, lab, runAsUser, errorOf, type ErrorJson} from '../lib/lab.js'
import {makeUser} from '../lib/user.js'

let count = 0
const namespaceScript = join(import.meta.dirname, '../../scripts/lib/namespace.sh')

/** A folder that every user may write to: whether the output can be written is looked at before the host is. */
function openFolder(name: string): string {
  const path = folder(name)
  chmodSync(path, 0o777)
  return path
}

/** Run the installer with something wrong; nothing may be written. */
async function refuse(
  words: readonly string[],
  options: {env?: Record<string, string>; user?: string} = {},
): Promise<ErrorJson> {
  const output = join(openFolder(`bad-${(count += 1)}`), 'out')
  const result = await cc('cc-image-installer', [...words, '--output', output, '--json'], options)
  const error = errorOf(result)
  expect(result.exitCode).toBe(error.exitCode)
  expect(existsSync(join(output, 'confidential_computing_image')), 'an image was written').toBe(false)
  expect(existsSync(output) ? readdirSync(output).filter((name) => name !== '.work') : []).toEqual([])
  return error
}

const iso = () => lab().iso['debian-12']

describe('an ISO', () => {
  it('that does not exist', async () => {
    const error = await refuse(['--iso', '/no/such.iso'])
    expect(error).toMatchObject({code: 'E_ISO_MISSING', exitCode: 4})
    expect(error.message).toContain('/no/such.iso')
  })

  it('that is cut short', async () => {
    const cut = join(folder('cut'), 'cut.iso')
    execFileSync('cp', [iso(), cut])
    truncateSync(cut, 20_000_000)
    expect(await refuse(['--iso', cut])).toMatchObject({code: 'E_ISO_TRUNCATED', exitCode: 4})
  })

  it('of another kind', async () => {
    const work = folder('other')
    const content = join(work, 'content')
    mkdirSync(content)
    writeFileSync(join(content, 'README'), 'holiday pictures\n')
    const other = join(work, 'other.iso')
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', other, content], {stdio: 'ignore'})
    expect(await refuse(['--iso', other])).toMatchObject({code: 'E_ISO_KIND', exitCode: 4})
  })

  it('that is no ISO', async () => {
    expect(await refuse(['--iso', '/bin/bash'])).toMatchObject({exitCode: 4})
  })

  it('with another sha256', async () => {
    const error = await refuse(['--iso', iso(), '--iso-sha256', 'ab'.repeat(32)])
    expect(error).toMatchObject({code: 'E_SHA256', exitCode: 4})
    expect(error.message).toContain('ab'.repeat(32))
  })

  it('whose SHA256SUMS was signed by somebody else', async () => {
    const work = folder('signature')
    const home = join(work, 'gnupg')
    mkdirSync(home, {mode: 0o700})
    const gpg = (...words: string[]) =>
      execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--passphrase', '', ...words], {stdio: 'pipe'})
    gpg('--quick-generate-key', 'Mallory <mallory@example.org>', 'default', 'default', 'never')
    const sums = join(work, 'SHA256SUMS')
    const name = iso().split('/').at(-1) ?? ''
    writeFileSync(sums, readFileSync(`${iso()}.SHA256SUMS`, 'utf8').replace(/\S+\.iso/, name))
    gpg('--output', `${sums}.gpg`, '--detach-sign', sums)
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'])
    execFileSync('chmod', ['-R', 'a+rX', work])
    const error = await refuse([
      ...['--iso', iso(), '--set', `source.sha256sums=${sums}`, '--set', `source.sha256sumsSignature=${sums}.gpg`],
      ...['--set', `source.keyring=${iso()}.keyring.gpg`],
    ])
    expect(error).toMatchObject({code: 'E_SIGNATURE', exitCode: 4})
  })

  it('that does not have the packages that are asked for', async () => {
    const error = await refuse(['--iso', iso(), '--set', 'os.packages=[no-such-package]'])
    expect(error).toMatchObject({code: 'E_PACKAGE', exitCode: 4})
    expect(error.message).toContain('no-such-package')
  })
})

describe('a configuration', () => {
  it('with an unknown key', async () => {
    const error = await refuse(['--iso', iso(), '--set', 'os.hostnam=x'])
    expect(error).toMatchObject({code: 'E_CONFIG', exitCode: 2})
    expect(error.message).toContain('hostnam')
  })

  it('with several mistakes names them all', async () => {
    const error = await refuse([
      '--iso',
      iso(),
      '--set',
      'os.hostname=A_B',
      '--set',
      'layout.partitions.cc-app.size=12X',
    ])
    expect(error.message).toContain('os.hostname')
    expect(error.message).toContain('12X')
  })

  it('whose layout contradicts itself', async () => {
    const error = await refuse(['--iso', iso(), '--set', 'layout.partitions.cc-app.integrity=verity'])
    expect(error).toMatchObject({code: 'E_LAYOUT', exitCode: 2})
  })

  it('with a development key for production', async () => {
    expect(await refuse(['--iso', iso(), '--set', 'profile=production'])).toMatchObject({code: 'E_LAYOUT', exitCode: 2})
  })

  it('whose root is too small says how much is needed', async () => {
    const error = await refuse(['--iso', iso(), '--set', 'layout.partitions.cc-root.size=100M'])
    expect(error).toMatchObject({code: 'E_SIZE', exitCode: 2})
    expect(error.message).toMatch(/cc-root.*100M.*needs \d+M/)
  })
})

describe('a host', () => {
  /** Run the installer in a user namespace of its own, as the user with this id there, after a preparation. */
  async function inNamespace(preparation: string, uid: string): Promise<ErrorJson> {
    const output = openFolder(`namespace-${(count += 1)}`)
    const installer = [process.execPath, join(lab().bin, 'cc-image-installer'), '--iso', iso(), '--output', output]
    const result = await runAsUser([
      ...['bash', namespaceScript, 'sh', '-c'],
      `${preparation}; exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@"`,
      ...['sh', ...installer, '--json'],
    ])
    expect(readdirSync(output)).toEqual([])
    return errorOf(result)
  }

  it('without a program', async () => {
    const error = await inNamespace('mount --bind /dev/null /usr/sbin/veritysetup', '0')
    expect(error).toMatchObject({code: 'E_HOST_TOOL', exitCode: 3})
    expect(error.message).toContain("'veritysetup'")
    expect(error.suggestions.join(' ')).toContain('apt-get install --yes cryptsetup-bin')
  })

  const root = process.getuid?.() === 0
  it.skipIf(!root)('where the user has no subordinate ids (needs root to make such a user)', async () => {
    makeUser('cc-e2e-nosub', ['-K', 'SUB_UID_COUNT=0', '-K', 'SUB_GID_COUNT=0'])
    for (const file of ['/etc/subuid', '/etc/subgid']) execFileSync('sed', ['-i', '/^cc-e2e-nosub:/d', file])
    const error = await refuse(['--iso', iso()], {user: 'cc-e2e-nosub'})
    expect(error).toMatchObject({code: 'E_SUBID', exitCode: 3})
    expect(error.suggestions.join(' ')).toContain('usermod --add-subuids')
  })

  it('that forbids user namespaces', async () => {
    const uid = (await runAsUser(['id', '-u'])).stdout
    const error = await inNamespace('echo 0 >/proc/sys/user/max_user_namespaces', uid)
    expect(error).toMatchObject({code: 'E_USERNS', exitCode: 3})
    expect(error.message).toContain('max_user_namespaces')
  })
})
