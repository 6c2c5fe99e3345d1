import {appendFileSync, existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {copyImage} from '../lib/boot.js'
import {buildOf, cc, errorOf, folder, lab} from '../lib/lab.js'

const build = (image: string, output: string, ...words: string[]) =>
  cc('nvflare-cc-builder', ['--image', image, '--output', output, '--json', ...words])

describe('nvflare-cc-builder', () => {
  let image: string
  beforeAll(async () => {
    image = buildOf(await build(lab().image, folder('flare'), '--size', '6G')).image
  })

  it('makes an image that runs a job of NVIDIA FLARE with two clients', async () => {
    const {stdout} = await cc('cc-image-test', ['flare', '--image', image, '--json'])
    const {checks} = JSON.parse(stdout) as {checks: {id: string; status: string; detail: string}[]}
    // Without a firmware in its configuration an image has no expected measurement to look at.
    const expected = (id: string) => (id.startsWith('measurement') ? 'skipped' : 'passed')
    expect(checks.filter(({id, status}) => status !== expected(id))).toEqual([])
    expect(checks.map(({id}) => id)).toContain('flare-job')
  }, 900_000)

  it('leaves the base image as it was, and gives the new one a key of its own', async () => {
    const result = await cc('cc-image-installer', [
      ...['--iso', lab().iso['debian-12'], '--output', join(lab().image, '..'), '--work-dir', lab().workDir, '--json'],
    ])
    expect(buildOf(result).cached).toBe(true)
    expect(existsSync(join(image, 'keys/root.key'))).toBe(true)
  })
})

describe('nvflare-cc-builder refuses', () => {
  /** Nothing but the work folder may be written. */
  async function refuse(image: string, name: string, ...words: string[]): Promise<{code: string; message: string}> {
    const output = folder(`flare-${name}`)
    const error = errorOf(await build(image, output, ...words))
    expect(readdirSync(output).filter((entry) => entry !== '.work')).toEqual([])
    return error
  }

  it('an image that is not there', async () => {
    expect(await refuse('/no/such/image', 'none')).toMatchObject({code: 'E_IMAGE'})
  })

  it('a base image without its key, and one with another', async () => {
    const image = copyImage('flare-key')
    const other = join(lab().image, 'manifest.json')
    expect(await refuse(image, 'no-key', '--root-key', '/no/such/key')).toMatchObject({code: 'E_KEY'})
    expect(await refuse(image, 'other-key', '--root-key', other)).toMatchObject({code: 'E_KEY'})
  })

  it('a base image that was altered after its manifest was written', async () => {
    const image = copyImage('flare-altered')
    appendFileSync(join(image, 'initrd.img'), 'x')
    const error = await refuse(image, 'altered')
    expect(error).toMatchObject({code: 'E_IMAGE'})
    expect(error.message).toContain('initrd.img')
  })

  it('a version that the index does not have', async () => {
    const error = await refuse(lab().image, 'version', '--set', 'flare.requirements=[nvflare==0.0.99]')
    expect(error).toMatchObject({code: 'E_PACKAGE'})
    expect(error.message).toContain('nvflare==0.0.99')
  })

  it('an index that cannot be reached', async () => {
    const error = await refuse(lab().image, 'network', '--set', 'flare.indexUrl=http://127.0.0.1:9/simple')
    expect(error).toMatchObject({code: 'E_NETWORK'})
  })

  it('a package with another hash', async () => {
    const requirement = `six==1.16.0 --hash=sha256:${'0'.repeat(64)}`
    const error = await refuse(lab().image, 'hash', '--set', `flare.requirements=["${requirement}"]`)
    expect(error).toMatchObject({code: 'E_SHA256'})
  })

  it('a disk that is too small', async () => {
    expect(await refuse(lab().image, 'small', '--size', '600M')).toMatchObject({code: 'E_SIZE'})
  })
})
