import {randomBytes} from 'node:crypto'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {boot, bootReport, copyImage} from '../lib/boot.js'
import {buildOf, cc, folder, lab, runAsUser} from '../lib/lab.js'

/** An image whose root holds the key of cc-out, made by changing one thing of the shared build. */
async function buildWithKey(): Promise<string> {
  const work = folder('on-demand')
  const key = join(work, 'out.key')
  writeFileSync(key, randomBytes(32), {mode: 0o644})
  const result = await cc('cc-image-installer', [
    ...['--iso', lab().iso['debian-12'], '--root-key', lab().rootKey, '--output', join(work, 'build'), '--json'],
    ...['--set', `os.files=[{path: /etc/cc/keys/out.key, from: ${key}}]`],
  ])
  return buildOf(result).image
}

describe('cc-out with a key in the encrypted root', () => {
  let image: string
  beforeAll(async () => {
    image = copyImage('on-demand', await buildWithKey())
  })

  const disk = () => join(image, 'confidential_computing_image.qcow2')
  const outStart = () => {
    const {partitions} = JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')) as {
      partitions: {name: string; start: number}[]
    }
    return partitions.find(({name}) => name === 'cc-out')?.start ?? 0
  }
  const bytesAt = async (offset: number, length: number) =>
    (await runAsUser(['qemu-io', '-r', '-f', 'qcow2', '-c', `read -v ${offset} ${length}`, disk()])).stdout.replace(
      /^read [^]*/m,
      '',
    )

  it('is formatted with LUKS2 at the first boot, and opened again at the second', async () => {
    const first = await bootReport(image, 'cc-out')
    expect(first).toMatchObject({state: 'encrypted', mount: '/mnt/cc/out'})
    const header = await bytesAt(outStart(), 512)
    expect(header).toContain('LUKS')
    const second = await bootReport(image, 'cc-out')
    expect(second).toMatchObject({state: 'encrypted'})
    // Not formatted anew: the salt of the header is the same.
    expect(await bytesAt(outStart(), 512)).toBe(header)
  })

  it('is refused when the host has changed its LUKS header', async () => {
    // One letter in the metadata of both copies, "aes-xts-plain64" → "aes-xts-plain65" would need new checksums; the
    // host rather writes a whole header of its own, valid in every way, for a key it knows.
    const work = folder('evil')
    const evil = join(work, 'evil')
    const made = await runAsUser([
      'bash',
      '-c',
      'truncate -s 32M "$1" && head -c 32 /dev/zero >"$1.key" && cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$1.key" "$1" && truncate -s 16M "$1" && qemu-img convert -n -f raw --target-image-opts "$1" "driver=raw,offset=$2,size=16777216,file.driver=qcow2,file.file.driver=file,file.file.filename=$3"',
      ...['-', evil, String(outStart()), disk()],
    ])
    expect(made.exitCode, made.stderr).toBe(0)
    const result = await boot(image)
    expect(result.ended).toBe('powered-off')
    expect(result.console.join('\n')).toMatch(/cc: FAILED: cc-out: its LUKS header is refused: .*; powering off/)
  })

  it('is refused when the host wrote something else there', async () => {
    const noise = await runAsUser(['qemu-io', '-f', 'qcow2', '-c', `write -P 0x41 ${outStart()} 16M`, disk()])
    expect(noise.exitCode).toBe(0)
    const result = await boot(image)
    expect(result.ended).toBe('powered-off')
    expect(result.console.join('\n')).toContain('cc: FAILED: cc-out: its LUKS header cannot be read')
  })
})
