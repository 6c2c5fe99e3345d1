import {existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {buildOf, cc, errorOf, folder, lab} from '../lib/lab.js'

/**
 * snpguest is built from crates.io, as the default is, unless CC_E2E_SNPGUEST=FILE:SHA256 names one: the user of the
 * tests may have no Rust.
 */
function snpguest(): string[] {
  const [file, sha256] = process.env['CC_E2E_SNPGUEST']?.split(':') ?? []
  if (file === undefined || sha256 === undefined) return []
  return ['--set', `attestation.snpguest.file=${file}`, '--set', `attestation.snpguest.sha256="${sha256}"`]
}

const everything = ['--set', 'nvidia.enabled=true', '--set', 'attestation.enabled=true', ...snpguest()]
const install = (output: string, ...words: string[]) =>
  cc('cc-image-installer', [
    ...['--iso', lab().iso['debian-13'], '--root-key', lab().rootKey, '--work-dir', lab().workDir],
    ...['--output', output, '--json', ...words],
  ])

describe('a base image with NVIDIA’s driver, CUDA and attestation', () => {
  let output: string
  let image: string
  beforeAll(async () => {
    output = folder('nvidia')
    const build = buildOf(await install(output, ...everything))
    image = build.image
    process.stderr.write(`e2e: built in ${(build.ms / 1000).toFixed(0)} s\n`)
  }, 7_200_000)

  it('passes every check of a base image, in QEMU without a GPU and a TEE', async () => {
    const {stdout} = await cc('cc-image-test', ['base', '--image', image, '--memory', '2048', '--json'])
    const {checks} = JSON.parse(stdout) as {checks: {id: string; status: string; detail: string}[]}
    expect(checks.filter(({status}) => status === 'failed')).toEqual([])
    const passed = checks.filter(({status}) => status === 'passed').map(({id}) => id)
    expect(passed).toEqual(
      expect.arrayContaining([
        ...[
          'boot-cc-root',
          'boot-swap',
          'boot-tmpfs',
          'boot-units',
          'sev-guest',
          'nvidia-module',
          'nvidia-no-autoload',
        ],
        ...['nvidia-no-gpu', 'nvidia-no-compiler', 'attest-snpguest', 'attest-sdk', 'attest-honest'],
      ]),
    )
  }, 1_800_000)

  it('is there at once the second time', async () => {
    const again = buildOf(await install(output, ...everything))
    expect(again.cached).toBe(true)
    process.stderr.write(`e2e: there again in ${again.ms} ms\n`)
  })

  it('does again for another version of the driver what follows from it, and nothing before', async () => {
    const other = [...everything, '--set', 'nvidia.version="550.163"']
    const {stdout} = await cc('cc-image-installer', [
      ...['--iso', lab().iso['debian-13'], '--root-key', lab().rootKey, '--work-dir', lab().workDir],
      ...['--output', output, '--dry-run', ...other],
    ])
    const lines = stdout.split('\n').filter((line) => line.startsWith('bash '))
    const first = lines.findIndex((line) => line.includes('/base/14-nvidia.sh'))
    expect(first).toBeGreaterThan(0)
    for (const [index, line] of lines.entries()) expect(line.endsWith('# done'), line).toBe(index < first)
    const again = buildOf(await install(output, ...other))
    expect(again.cached).toBe(false)
    process.stderr.write(`e2e: another version in ${(again.ms / 1000).toFixed(0)} s\n`)
  }, 1_800_000)

  it('refuses a driver that the archive does not have, and keeps the image', async () => {
    const result = await install(output, ...everything, '--set', 'nvidia.version="999.1"')
    expect(errorOf(result)).toMatchObject({
      code: 'E_PACKAGE',
      message: expect.stringContaining("no driver '999.1'") as string,
    })
    expect(existsSync(join(image, 'manifest.json'))).toBe(true)
  }, 1_200_000)

  it('refuses an archive that cannot be reached, and writes nothing', async () => {
    const other = folder('nvidia-network')
    const repository = {
      source: 'deb http://127.0.0.1:9/cuda /',
      key: 'http://127.0.0.1:9/key',
      fingerprint: 'A'.repeat(40),
    }
    const result = await install(other, ...everything, '--set', `nvidia.repository=${JSON.stringify(repository)}`)
    expect(errorOf(result)).toMatchObject({code: 'E_NETWORK'})
    expect(readdirSync(other)).toEqual([])
  })
})
