import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {boot, copyImage} from '../lib/boot.js'
import {makeCertificates} from '../lib/broker.js'
import {buildOf, cc, folder, lab} from '../lib/lab.js'
import {standIn, standInClient} from '../lib/tee.js'

/** Build a production image by settings, boot it where there is no TEE, and return its console. */
async function bootWithoutTee(name: string, sets: readonly string[]): Promise<string[]> {
  const work = folder(`no-tee-${name}`)
  const result = await cc('cc-image-installer', [
    ...['--iso', lab().iso['debian-12'], '--output', join(work, 'build'), '--json'],
    ...['profile=production', ...sets].flatMap((set) => ['--set', set]),
  ])
  const {console: lines, ended} = await boot(copyImage(`no-tee-${name}`, buildOf(result).image), {
    rootKey: null,
    network: true,
  })
  expect(ended, lines.join('\n')).toBe('powered-off')
  expect(lines.join('\n')).not.toMatch(/CC-BOOT|login:|\(initramfs\)|INSECURE/)
  return lines.filter((line) => line.includes('cc: FAILED:'))
}

describe('a production image where there is no TEE never opens its root, and says why', () => {
  it('with the key source kbs', async () => {
    const certificates = folder('no-tee-ca')
    makeCertificates(certificates)
    const client = standInClient()
    const sha256 = createHash('sha256').update(readFileSync(client)).digest('hex')
    const failures = await bootWithoutTee('kbs', [
      'layout.partitions.cc-root.key=kbs',
      `kbs={url: "https://10.0.2.2:1", caFile: ${join(certificates, 'ca.pem')}, client: ${client}, clientSha256: ${sha256}}`,
    ])
    expect(failures).toEqual([
      expect.stringMatching(/cc-root: no key: this machine is not confidential: .*powering off/),
    ])
  })

  it('with the key source tee-derived', async () => {
    const failures = await bootWithoutTee('derived', [
      'layout.partitions.cc-root={integrity: verity, key: tee-derived}',
      `os.files=[{path: /usr/local/bin/snpguest, from: ${standIn('snpguest')}, mode: "0755"}]`,
    ])
    expect(failures).toEqual([
      expect.stringMatching(/cc-root: no key from 'tee-derived': this machine has no SEV-SNP: .*powering off/),
    ])
  })
})
