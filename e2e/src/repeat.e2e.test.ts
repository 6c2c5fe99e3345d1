import {createHash} from 'node:crypto'
import {readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {manifestSchema, type Manifest} from 'cc-core/manifest'

import {buildOf, cc, errorOf, folder, lab, runAsUser} from '../lib/lab.js'

const manifestOf = (image: string): Manifest =>
  manifestSchema.parse(JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')))

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** What a partition of an image holds, decrypted with the steps that a person would use. */
async function plainContent(image: string, name: string, work: string): Promise<string> {
  const {partitions, initrd, name: disk} = manifestOf(image)
  const partition = partitions.find((candidate) => candidate.name === name)
  if (partition?.content == null) throw new Error(`${name} has no content`)
  const step = async (id: string, ...words: string[]) => {
    const result = await runAsUser(['bash', join(lab().scripts, `${id}.sh`), ...words])
    expect(result.exitCode, result.stderr).toBe(0)
  }
  const data = join(work, `${name}.data`)
  const window = ['--offset', String(partition.start), '--size', String(partition.content.bytes)]
  await step('disk/read-partition', '--disk', join(image, `${disk}.qcow2`), '--output', data, ...window)
  if (partition.encryption === 'luks2') {
    const sealed = join(work, 'sealed')
    const offset = String(initrd.sealOffset)
    await step('disk/unpack-initrd', '--initrd', join(image, 'initrd.img'), '--offset', offset, '--output', sealed)
    const header = join(sealed, 'headers', `${name}.luks`)
    await step('disk/decrypt-partition', '--data', data, '--header', header, '--key-file', join(image, 'keys/root.key'))
  }
  return (await runAsUser(['sha256sum', data])).stdout.split(' ')[0] ?? ''
}

describe('the same build in another place', () => {
  let other: string
  let work: string

  beforeAll(async () => {
    work = folder('repeat')
    const {iso, rootKey} = lab()
    const result = await cc('cc-image-installer', [
      ...['--iso', iso['debian-12'], '--root-key', rootKey, '--json'],
      ...['--output', join(work, 'build'), '--work-dir', join(work, 'work')],
    ])
    expect(result.exitCode, result.stderr).toBe(0)
    other = buildOf(result).image
  })

  it.each(['vmlinuz', 'cmdline'])('gives the same %s', (file) => {
    expect(sha256(join(other, file))).toBe(sha256(join(lab().image, file)))
  })

  it('gives the same initrd up to the LUKS header, whose salts belong to the key', () => {
    const {sealOffset} = manifestOf(other).initrd
    const head = (image: string) => readFileSync(join(image, 'initrd.img')).subarray(0, sealOffset)
    expect(head(other).equals(head(lab().image))).toBe(true)
  })

  it.each(['cc-root', 'cc-ro'])('gives the same %s, decrypted', async (name) => {
    const contents = [
      await plainContent(lab().image, name, folder(`plain-a-${name}`)),
      await plainContent(other, name, folder(`plain-b-${name}`)),
    ]
    expect(contents[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(contents[1]).toBe(contents[0])
  })

  it('gives the same manifest, but for the hashes of what the key is in', () => {
    const bare = ({artefacts, partitions, ...rest}: Manifest) => ({
      ...rest,
      artefacts: {...artefacts, 'initrd.img': artefacts['initrd.img']?.bytes},
      partitions: partitions.map(({content, ...partition}) => ({
        ...partition,
        // The ESP holds the initrd, and copies of the LUKS headers.
        content: partition.encryption === 'none' && partition.name !== 'cc-esp' ? content : content?.bytes,
      })),
    })
    expect(bare(manifestOf(other))).toEqual(bare(manifestOf(lab().image)))
  })
})

describe('a second run', () => {
  const again = (...words: string[]) =>
    cc('cc-image-installer', [
      ...['--iso', lab().iso['debian-12'], '--output', join(lab().image, '..'), '--work-dir', lab().workDir],
      ...words,
      '--json',
    ])

  it('finds the image up to date and leaves it alone', async () => {
    const file = join(lab().image, 'manifest.json')
    const before = statSync(file)
    const result = buildOf(await again())
    expect(result.cached).toBe(true)
    expect(statSync(file).ino).toBe(before.ino)
  })

  it('builds it again when a file of it was altered, while no other build may work in that folder', async () => {
    const work = folder('altered')
    const words = ['--iso', lab().iso['debian-12'], '--output', work, '--work-dir', join(work, 'w'), '--json']
    const build = () => cc('cc-image-installer', words)
    const first = buildOf(await build())
    writeFileSync(join(first.image, 'cmdline'), 'init=/bin/sh\n')
    const results = await Promise.all([build(), build()])
    expect(results.map(({exitCode}) => exitCode).sort()).toEqual([0, 3])
    for (const result of results) {
      if (result.exitCode === 0) expect(buildOf(result).cached).toBe(false)
      else expect(errorOf(result)).toMatchObject({code: 'E_LOCKED'})
    }
    expect(readFileSync(join(first.image, 'cmdline'), 'utf8')).not.toContain('init=/bin/sh')
  })
})
