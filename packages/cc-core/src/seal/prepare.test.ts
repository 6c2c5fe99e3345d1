import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {readImageDirectory, sha256File, type ImageDirectory} from '../manifest/index.js'
import {growImage} from '../resize/index.js'
import {runTasks} from '../build/index.js'
import {callStep, planStep} from '../steps/index.js'
import {SilentReporter} from '../ui/index.js'
import {isPrepared, openOutput, outputPaths, planPrepare, planSeal, type SealRequest} from './index.js'

let folder: string
const path = (...names: string[]) => join(folder, ...names)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-prepare-'))
  // The least that a seal takes out of a tree.
  for (const name of ['tree/boot', 'tree/opt/cc/ro', 'tree/var/lib/dpkg', 'site-a', 'site-b', 'logs'])
    mkdirSync(path(name), {recursive: true})
  for (const name of ['tree/boot/vmlinuz', 'tree/boot/initrd.img', 'site-a/kit', 'site-b/kit', 'tree/opt/cc/ro/old'])
    writeFileSync(path(name), name)
  writeFileSync(path('tree/var/lib/dpkg/status'), '')
  // tree/copy-file reads by the tree's own cat.
  execFileSync('bash', ['-c', 'cp --parents /bin/cat $(ldd /bin/cat | grep -o "/[^ ]*") "$0"', path('tree')])
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})

const request = (changes: Partial<SealRequest> = {}): SealRequest => ({
  ...{name: 'image', stage: 'hardened', aliases: [], tree: path('tree'), distribution: 'debian-12', tool: 'test'},
  config: parseConfig({layout: {partitions: {'cc-app': null, 'cc-out': null}}}),
  ...{source: {kind: 'mirror', label: 'l', sha256: null}, sourceDateEpoch: 1, buildKey: 'a'.repeat(64), rootKey: null},
  ...changes,
})
const context = () => ({reporter: new SilentReporter(), logDir: path('logs')})

async function seal(name: string, changes: Partial<SealRequest> = {}): Promise<ImageDirectory> {
  const output = await openOutput(path(name))
  await runTasks(await planSeal(request(changes), path(`work-${name}`), output), context())
  await output.publish()
  return readImageDirectory(output.path)
}

/** The bytes of one partition of an image, before its encryption. */
function plain({path: image, manifest, file}: ImageDirectory, name: string): Buffer {
  const {start = 0, content, encryption} = manifest.partitions.find((partition) => partition.name === name) ?? {}
  const script = (step: string, ...words: string[]) =>
    execFileSync('bash', [join(import.meta.dirname, `../../../../scripts/disk/${step}.sh`), ...words])
  const data = path(`${name}.read`)
  const range = ['--offset', String(start), '--size', String(content?.bytes)]
  script('read-partition', '--disk', file(`${manifest.name}.qcow2`), '--output', data, ...range)
  if (encryption === 'luks2') {
    const offset = String(manifest.initrd.sealOffset)
    script('unpack-initrd', '--initrd', file('initrd.img'), '--offset', offset, '--output', path('sealed'))
    const header = path('sealed', 'headers', `${name}.luks`)
    script('decrypt-partition', '--data', data, '--header', header, '--key-file', join(image, 'keys/root.key'))
    rmSync(path('sealed'), {recursive: true})
  }
  return readFileSync(data)
}

describe('a seal that was prepared', () => {
  it('gives images with one root, each with a key and content of its own; what was prepared stays', async () => {
    const prepared = path('prepared')
    await runTasks(await planPrepare({...request(), perImage: ['cc-ro']}, prepared), context())
    expect(isPrepared(prepared)).toBe(true)
    expect(statSync(prepared).mode & 0o777).toBe(0o700)
    const before = await sha256File(join(prepared, 'cc-root.plain'))
    rmSync(path('tree'), {recursive: true}) // No seal needs it any more.

    const site = (name: string) => seal(name, {prepared, contents: {'cc-ro': path(name)}})
    const [a, b] = await Promise.all([site('site-a'), site('site-b')])
    const root = (image: ImageDirectory) => image.manifest.partitions.find(({name}) => name === 'cc-root')?.content
    expect(root(a)?.sha256).not.toBe(root(b)?.sha256)
    expect(plain(a, 'cc-root').equals(plain(b, 'cc-root'))).toBe(true)
    expect(plain(a, 'cc-root').equals(readFileSync(join(prepared, 'cc-root.plain')))).toBe(true)
    expect(await sha256File(join(prepared, 'cc-root.plain'))).toBe(before)
    expect(plain(a, 'cc-ro').includes('site-a/kit')).toBe(true)
    expect(plain(b, 'cc-ro').includes('site-b/kit')).toBe(true)
    expect(plain(b, 'cc-ro').includes('cc/ro/old')).toBe(false)
    expect(plain(a, 'cc-root').includes('cc/ro/old')).toBe(false)
  }, 120_000)

  it('is the seal of the tree, in two parts', async () => {
    const whole = await seal('whole')
    await runTasks(await planPrepare(request(), path('prepared')), context())
    const parts = await seal('parts', {prepared: path('prepared')})
    for (const name of ['cc-root', 'cc-ro']) expect(plain(parts, name).equals(plain(whole, name))).toBe(true)
    expect(readFileSync(parts.file('vmlinuz'), 'utf8')).toBe('tree/boot/vmlinuz')
    const facts = ({manifest}: ImageDirectory) => ({...manifest, partitions: null, artefacts: null})
    expect(facts(parts)).toEqual(facts(whole))
  }, 120_000)

  it('does not make file systems again', async () => {
    const tasks = await planSeal(request({prepared: path('prepared')}), path('work'), outputPaths(path('out')))
    const ids = tasks.map(({id}) => id)
    expect(ids.filter((id) => /make-filesystem|make-verity|^tree\//.test(id))).toEqual([])
    const place = tasks.find(({id}) => id === 'disk/place-partition:cc-root')
    expect(place?.shown).toContain(`--content ${path('prepared/cc-root.plain')}`)
  })
})

describe('an image that is sealed with a size', () => {
  it('is the one that is sealed without, and grown to it', async () => {
    const sizeBytes = 96 * 1024 ** 2
    const config = parseConfig({layout: {size: sizeBytes, partitions: {'cc-app': null, 'cc-out': null}}})
    const sized = await seal('sized', {config})
    const small = await seal('small')
    expect(small.manifest.disk.bytes).toBeLessThan(sizeBytes)
    const {image} = await growImage({image: small.path, sizeBytes}, context())
    const layout = ({manifest}: ImageDirectory) =>
      [manifest.disk.bytes, ...manifest.partitions.map(({name, start, size}) => [name, start, size])].flat()
    expect(layout(image)).toEqual(layout(sized))
    const table = async ({file}: ImageDirectory) => {
      const step = await planStep('disk/grow-read-table', {disk: file('image.qcow2'), size: sizeBytes})
      return (JSON.parse(await callStep(step)) as {partitiontable: Record<string, unknown>}).partitiontable
    }
    const [mine, theirs] = [await table(image), await table(sized)].map((one) =>
      JSON.stringify({...one, device: ''}).replaceAll(/"node":"[^"]*"/g, ''),
    )
    expect(mine).toBe(theirs)
  }, 120_000)
})
