import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {buildImages, runTasks, showPlan, type BuildPlan} from '../build/index.js'
import {smallBuild, smallFolder} from '../build/fixtures/small-build.js'
import type {SealPlan} from '../build/plan.js'
import {mergeTrustee} from '../build/trustee.js'
import {encodeImageConfig, parseConfig, type Config} from '../config/index.js'
import type {ImageDirectory, Manifest} from '../manifest/index.js'
import {RecordingReporter, SilentReporter} from '../ui/index.js'
import {outputPaths, planSeal, type SealRequest} from './index.js'
import {hostDataOf, planTrustee} from './trustee.js'

let folder: string
const path = (...names: string[]) => join(folder, ...names)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-trustee-'))
  mkdirSync(path('logs'))
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})
const context = () => ({reporter: new SilentReporter(), logDir: path('logs')})

const ca = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
const withKbs = (changes: Record<string, unknown> = {}): Config =>
  parseConfig({
    kbs: {url: 'https://kbs.example', ca, ...changes},
    hardening: {role: 'client', site: 'site-1'},
    layout: {
      partitions: {'cc-root': {key: 'kbs'}, 'cc-ro': {key: 'kbs', encryption: 'luks2'}, 'cc-app': null, 'cc-out': null},
    },
  })

const measured: Manifest['measurement'] = {
  ...{platform: 'sev-snp', algorithm: 'sha384'},
  from: {firmware: '', kernel: '', initrd: '', cmdline: ''},
  entries: [{vcpus: 4, cpuType: 'EPYC-v4', guestFeatures: '0x1', digest: 'a'.repeat(96)}],
}

const built = (config: Config, buildKey = 'a'.repeat(64)) => ({
  ...{name: 'image', stage: 'hardened' as const, buildKey},
  config,
})

describe('HOST_DATA', () => {
  it('is of one site and one build, unless it is configured', () => {
    const with_ = (hostData: 'any' | string[] | null, site = 'site-1') => {
      const config = withKbs()
      const kbs = {...config.kbs, policy: {...config.kbs.policy, hostData}}
      return built({...config, kbs, hardening: {...config.hardening, site}})
    }
    const own = hostDataOf(with_(null))
    expect(own).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)])
    expect(hostDataOf(with_(null))).toEqual(own)
    expect(hostDataOf(with_(null, 'site-2'))).not.toEqual(own)
    expect(hostDataOf({...with_(null), buildKey: 'b'.repeat(64)})).not.toEqual(own)
    expect(hostDataOf(with_('any'))).toEqual([])
    expect(hostDataOf(with_(['c'.repeat(64), 'd'.repeat(64)]))).toEqual(['c'.repeat(64), 'd'.repeat(64)])
  })
})

describe('the folder trustee of an image directory', () => {
  it('has policy, reference values, resources and two programs', async () => {
    const tasks = await planTrustee(built(withKbs()), path('image'), () => Promise.resolve(measured))
    await runTasks(tasks, context())
    const file = (name: string) => readFileSync(path('image/trustee', name), 'utf8')
    expect(file('resource-policy.rego')).toContain(
      '"image.site-1": {"paths":[["default","site-1","cc-root"],["default","site-1","cc-ro"]],"digests":["aaaa',
    )
    expect(JSON.parse(file('reference-values.json'))).toEqual({snp_launch_measurement: ['a'.repeat(96)]})
    expect(file('resources.json')).toContain('"measured": true')
    for (const name of ['upload.sh', 'revoke.sh'])
      expect(execFileSync(path('image/trustee', name), ['--help'], {encoding: 'utf8'})).toContain(`Usage: ${name} URL`)
  })

  it('is only there where a key comes from a broker', async () => {
    const config = parseConfig({})
    expect(await planTrustee(built(config), path('image'), () => Promise.resolve(measured))).toEqual([])
  })

  it('is made by a seal, with the paths that the guest asks for', async () => {
    for (const name of ['tree/boot', 'tree/opt/cc/ro', 'tree/var/lib/dpkg']) mkdirSync(path(name), {recursive: true})
    for (const name of ['tree/boot/vmlinuz', 'tree/boot/initrd.img']) writeFileSync(path(name), name)
    writeFileSync(path('tree/var/lib/dpkg/status'), '')
    execFileSync('bash', ['-c', 'cp --parents /bin/cat $(ldd /bin/cat | grep -o "/[^ ]*") "$0"', path('tree')])
    const request: SealRequest = {
      ...{name: 'image', stage: 'hardened', aliases: [], tree: path('tree'), distribution: 'debian-12', tool: 'test'},
      ...{
        source: {kind: 'mirror', label: 'l', sha256: null},
        sourceDateEpoch: 1,
        buildKey: 'a'.repeat(64),
        rootKey: null,
      },
      config: withKbs(),
    }
    const output = outputPaths(path('image'))
    mkdirSync(output.partial)
    await runTasks(await planSeal(request, path('work'), output), context())
    const initrd = readFileSync(join(output.partial, 'initrd.img'), 'latin1')
    const asked = [...initrd.matchAll(/\.kbs-resource=(\S+)/g)].map(([, one]) => one)
    const {images} = JSON.parse(readFileSync(join(output.partial, 'trustee/resources.json'), 'utf8')) as {
      images: {measured: boolean; resources: {path: string; file: string}[]}[]
    }
    expect(asked).toEqual(['default/site-1/cc-root', 'default/site-1/cc-ro'])
    expect(images[0]?.resources.map((one) => one.path)).toEqual(asked)
    expect(images[0]?.measured).toBe(false)
    const {launch} = JSON.parse(readFileSync(join(output.partial, 'manifest.json'), 'utf8')) as Manifest
    expect(launch?.hostData).toEqual(hostDataOf(request))
    const policy = readFileSync(join(output.partial, 'trustee/resource-policy.rego'), 'utf8')
    expect(policy).toContain(`"hostData":["${launch?.hostData?.[0] ?? ''}"]`)
    for (const {file} of images[0]?.resources ?? []) expect(existsSync(join(output.partial, file)), file).toBe(true)
  })
})

describe('the folder trustee of a run', () => {
  it('has all images whose keys come from a broker, and finds their keys', async () => {
    const image = (site: string, config: Config): ImageDirectory => ({
      path: path('build', site, 'image'),
      file: (name) => path('build', site, 'image', name),
      manifest: {
        ...({name: 'image', measurement: measured} as Manifest),
        config: encodeImageConfig({...config, hardening: {...config.hardening, site}}),
        launch: {policy: '0x30000'} as NonNullable<Manifest['launch']>,
      },
    })
    const images = [
      image('site-1', withKbs()),
      image('site-2', withKbs()),
      image('plain', parseConfig({hardening: {role: 'client'}})),
    ]
    const seals = images.map((one) => ({outputDir: dirname(one.path)}) as SealPlan)
    for (const one of images) {
      mkdirSync(one.path, {recursive: true})
      writeFileSync(one.file('manifest.json'), JSON.stringify(one.manifest))
    }
    expect(await mergeTrustee(seals, images, context())).toBe(path('build/trustee'))
    const read = (name: string) => readFileSync(path('build/trustee', name), 'utf8')
    expect(
      read('resource-policy.rego')
        .split('\n')
        .filter((line) => line.startsWith('\t"')),
    ).toHaveLength(2)
    for (const site of ['site-1', 'site-2']) expect(read('resources.json')).toContain(`"${site}/image/keys/root.key"`)
    expect(read('upload.sh')).toContain('Usage: upload.sh URL')
  })

  it('is not there where no key comes from a broker', async () => {
    expect(await mergeTrustee([], [], context())).toBeNull()
  })
})

describe('a run of several images', () => {
  async function plan(resource?: string, labels = ['a', 'b']): Promise<BuildPlan> {
    for (const label of labels) mkdirSync(path(`kit-${label}`, 'startup'), {recursive: true})
    const build = await smallBuild(folder, path('work'), path('build'), labels)
    const config = withKbs(resource === undefined ? {} : {resource})
    const seals = build.seals.map((one) => ({
      ...one,
      seal: {...one.seal, config: {...config, hardening: {...config.hardening, site: one.label}}},
    }))
    return {...build, seals}
  }

  it('is refused where two keys would share a path of the broker, before anything is written', async () => {
    await expect(showPlan(await plan('x/y/{partition}'))).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: "kbs.resource: 'x/y/cc-root' would hold the keys of cc-root of image a and cc-root of image b",
    })
    expect((await showPlan(await plan())).join('\n')).toContain('build/b/.image.partial/trustee/upload.sh')
    await expect(showPlan(await plan(undefined, ['a', 'trustee']))).rejects.toMatchObject({code: 'E_CONFIG'})
  })

  it('leaves one folder for the broker beside those of its sites', {timeout: 120_000}, async () => {
    await smallFolder(folder, 'x')
    const reporter = new RecordingReporter()
    const built = await buildImages(await plan(), {reporter})
    expect(built.map(({error}) => error)).toEqual([null, null])
    const resources = readFileSync(path('build/trustee/resources.json'), 'utf8')
    for (const site of ['a', 'b']) {
      expect(resources).toContain(`"file": "${site}/image/keys/root.key"`)
      expect(existsSync(path('build', site, 'image/trustee/upload.sh'))).toBe(true)
    }
    expect(reporter.events.filter(({type}) => type === 'note')).toContainEqual({
      type: 'note',
      text: `policy and keys of 2 images: ${path('build/trustee')}`,
    })
    // What is not a folder of ours is left alone.
    rmSync(path('build/trustee/resources.json'))
    await expect(buildImages(await plan(), {reporter})).rejects.toMatchObject({code: 'E_CONFIG'})
  })
})
