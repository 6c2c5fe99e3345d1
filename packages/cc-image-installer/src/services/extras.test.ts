import {execFileSync} from 'node:child_process'
import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {loadConfig} from 'cc-core/config'
import {profiles} from 'cc-core/distro'
import {sha256File} from 'cc-core/manifest'
import type {BuildPlan} from 'cc-core/build'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {planInstall} from './install.js'
import {chooseKernel} from './kernel.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-extras-'))
})
afterEach(() => {
  rmSync(root, {recursive: true})
})

const all = ['nvidia.enabled=true', 'attestation.enabled=true']

async function plan(...sets: string[]): Promise<BuildPlan> {
  const config = loadConfig(null, [
    'distribution=debian-13',
    'source.mirrors=["deb http://mirror.invalid x main"]',
    ...sets,
  ])
  const folders = {outputDir: join(root, 'build'), workDir: join(root, 'work')}
  return planInstall({config, ...folders, tool: 'test', rootKey: null})
}

const ids = ({tree}: BuildPlan) => tree.steps.map(({id}) => id)
const words = ({tree}: BuildPlan, id: string) => tree.steps.find((step) => step.id === id)?.argv ?? []

/** The values of a repeated parameter. */
const values = (argv: readonly string[], name: string) => argv.filter((_, index) => argv[index - 1] === `--${name}`)

/** The steps whose result is no longer the same, in their order. */
function redone(before: BuildPlan, after: BuildPlan): string[] {
  return after.tree.steps
    .filter((_, index) => !before.tree.keys.includes(after.tree.keys[index + 1] ?? ''))
    .map(({id}) => id)
}

function file(name: string, text = name): string {
  const path = join(root, name)
  writeFileSync(path, text)
  return path
}

describe('a default build', () => {
  it('has none of the costly steps, and loads sev-guest where the kernel has it', async () => {
    const steps = ids(await plan())
    expect(steps.filter((id) => /nvidia|cuda|snpguest|sdk|gpu|attestation|amd/.test(id))).toEqual([])
    expect(steps).toContain('base/52-sev-guest')
    expect(ids(await plan('amd.sevGuest=off'))).not.toContain('base/52-sev-guest')
  })
})

describe('a build with NVIDIA and attestation', () => {
  it('has its steps, the costly first, before what is configured often', async () => {
    const steps = ids(await plan(...all))
    expect(steps.slice(0, 6)).toEqual([
      ...['base/10-packages', 'base/14-nvidia', 'base/16-cuda', 'base/18-snpguest', 'base/19-attestation-sdk'],
      'base/15-remove',
    ])
    expect(steps.slice(-7)).toEqual(
      ['52-sev-guest', '55-gpu', '56-attestation', '55-keys', '60-initramfs', '88-verify', '90-clean'].map(
        (name) => `base/${name}`,
      ),
    )
  })

  it('redoes only what stands behind a change', async () => {
    const before = await plan(...all)
    const from = (first: string) => ids(before).slice(ids(before).indexOf(first))
    expect(redone(before, await plan(...all))).toEqual([])
    expect(redone(before, await plan(...all, 'nvidia.version=550.90.07'))).toEqual(from('base/14-nvidia'))
    expect(redone(before, await plan(...all, 'nvidia.cuda.packages=[nvidia-cuda-toolkit]'))).toEqual(
      from('base/16-cuda'),
    )
    expect(redone(before, await plan(...all, 'attestation.snpguest.version=0.10.0'))).toEqual(from('base/18-snpguest'))
    expect(redone(before, await plan(...all, 'attestation.services.rim=https://rim.example.org'))).toEqual(
      from('base/56-attestation'),
    )
    expect(redone(before, await plan(...all, 'nvidia.onFailure=stop'))).toEqual(from('base/55-gpu'))
  })

  it('takes a kernel that a GPU can work with, unless one is named', () => {
    const kernel = (...sets: string[]) => chooseKernel(loadConfig(null, sets), profiles['debian-13'], null).package
    expect(kernel()).toBe('linux-image-cloud-amd64')
    expect(kernel('nvidia.enabled=true')).toBe('linux-image-amd64')
    expect(kernel('nvidia.enabled=true', 'os.kernel=linux-image-rt-amd64')).toBe('linux-image-rt-amd64')
  })

  it('holds the version of the profile, until another branch or archive is asked for', async () => {
    const version = async (...sets: string[]) => values(words(await plan(...all, ...sets), 'base/14-nvidia'), 'version')
    expect(await version()).toEqual(['550.163.01'])
    expect(await version('nvidia.version=550.90.07')).toEqual(['550.90.07'])
    const repository = {source: 'deb https://h/p /', key: file('k.asc'), fingerprint: 'A'.repeat(40)}
    expect(await version(`nvidia.repository=${JSON.stringify(repository)}`)).toEqual([])
  })

  it('takes signed modules of Ubuntu, and builds them where it is asked to', async () => {
    const ubuntu = ['distribution=ubuntu-24.04']
    const prebuilt = words(await plan(...all, ...ubuntu), 'base/14-nvidia')
    expect(values(prebuilt, 'prebuilt')).toEqual(['linux-modules-nvidia-580-server-open-{kernel}'])
    expect(values(prebuilt, 'build')).toEqual([])
    const built = words(
      await plan(...all, ...ubuntu, 'nvidia.modules=dkms', 'nvidia.branch=570-server'),
      'base/14-nvidia',
    )
    expect(values(built, 'build')).toEqual(['nvidia-dkms-570-server-open', 'linux-headers-{kernel}'])
    expect(values(built, 'package')).toContain('libnvidia-compute-570-server')
  })

  it('takes CUDA out of NVIDIA’s archive, whose key is checked', async () => {
    const build = await plan(...all, 'distribution=ubuntu-22.04', 'nvidia.cuda.version="12.4"')
    const cuda = words(build, 'base/16-cuda')
    expect(values(cuda, 'package')).toEqual(['cuda-libraries-12-4'])
    expect(values(cuda, 'repository')[0]).toMatch(/^deb https:.*ubuntu2204/)
    expect(build.tree.downloads?.map(({shown}) => shown).join('\n')).toMatch(
      /source\/fetch\.sh .*--fingerprint EB693B30/,
    )
    expect(build.needs).toContain('download')
  })

  it('takes nvattest with the packages of CUDA', async () => {
    const build = await plan('attestation.enabled=true', 'attestation.sdk.kind=nvattest', 'distribution=ubuntu-24.04')
    expect(values(words(build, 'base/16-cuda'), 'package')).toEqual(['nvattest'])
    expect(ids(build)).not.toContain('base/19-attestation-sdk')
  })

  it('gives the token to nobody: it is in no word of the plan', async () => {
    process.env['CC_ATTESTATION_TOKEN'] = 's3cret-token'
    try {
      expect(JSON.stringify(await plan(...all))).not.toContain('s3cret-token')
    } finally {
      delete process.env['CC_ATTESTATION_TOKEN']
    }
  })
})

describe('before anything is written', () => {
  const none = '0'.repeat(64)
  it.each<[string, string[], string, string]>([
    ['a GPU that nobody attests', ['nvidia.enabled=true'], 'E_CONFIG', 'needs attestation.enabled'],
    ['a branch where there is none', [...all, 'nvidia.branch="580"'], 'E_CONFIG', "'580' is set"],
    [
      'prebuilt modules where there are none',
      [...all, 'nvidia.modules=prebuilt'],
      'E_CONFIG',
      'debian-13 has no prebuilt',
    ],
    ['a signing key without certificate', [...all, 'nvidia.signing.key=/k'], 'E_CONFIG', 'belong together'],
    ['a patch that is not there', [...all, 'nvidia.patches=[/no/such.patch]'], 'E_CONFIG', '/no/such.patch'],
    [
      'a driver package that is not there',
      [...all, `nvidia.debs=[{file: /no/such.deb, sha256: "${none}"}]`],
      'E_CONFIG',
      '/no/such.deb',
    ],
    ['a directory of patches that is not there', ['amd.patches=/no/such/patches'], 'E_CONFIG', '/no/such/patches'],
    [
      'snpguest with another sha256',
      [...all, 'attestation.snpguest.file=/bin/true', `attestation.snpguest.sha256="${none}"`],
      'E_SHA256',
      `not ${none}`,
    ],
    [
      'snpguest as a file without sha256',
      [...all, 'attestation.snpguest.file=/bin/true'],
      'E_CONFIG',
      'expected sha256',
    ],
    [
      'the packages of a foreign distribution without its mirrors',
      [...all, 'distribution=ubuntu-24.04', 'source.mirrors=[]'],
      'E_CONFIG',
      'the archive of ubuntu',
    ],
  ])('%s is refused', async (_, sets, code, message) => {
    const error = await plan(...sets).catch((reason: unknown) => reason)
    expect(error).toMatchObject({code, message: expect.stringContaining(message) as string})
  })

  it('a driver package with another content is refused, with both hashes', async () => {
    const deb = file('a.deb')
    const set = `nvidia.debs=[{file: ${deb}, sha256: "${none}"}]`
    await expect(plan(...all, set)).rejects.toMatchObject({
      code: 'E_SHA256',
      message: expect.stringContaining(await sha256File(deb)) as string,
    })
  })

  it('a folder in which cargo cannot build is refused', async () => {
    const parent = root
    root = join(root, 'a:b')
    mkdirSync(root)
    try {
      await expect(plan('attestation.enabled=true')).rejects.toMatchObject({
        code: 'E_CONFIG',
        message: `cargo cannot work in '${join(root, 'work')}': it separates paths by ":"`,
      })
    } finally {
      root = parent
    }
  })

  it('a named pipe is refused, which would be waited for', async () => {
    const pipe = join(root, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const set of [`source.mirrors=[${pipe}]`, `os.files=[{path: /etc/x, from: ${pipe}}]`, `launch.ovmf=${pipe}`])
      await expect(plan(set)).rejects.toMatchObject({
        code: 'E_CONFIG',
        message: expect.stringContaining(`'${pipe}' is a named pipe, not a file`) as string,
      })
  })

  it('a keyring and a list of mirrors that are not there are refused', async () => {
    for (const set of ['source.keyring=/no/such', 'source.mirrors=[/no/such]'])
      await expect(plan(set)).rejects.toMatchObject({
        code: 'E_CONFIG',
        message: expect.stringContaining("there is no file '/no/such'") as string,
      })
  })

  it('a signing key that others can read is refused', async () => {
    const key = file('key.pem')
    chmodSync(key, 0o644)
    const sets = [`nvidia.signing.key=${key}`, `nvidia.signing.certificate=${file('certificate.pem')}`]
    await expect(plan(...all, ...sets)).rejects.toMatchObject({code: 'E_KEY'})
  })

  it('a token that others could read in the image is refused', async () => {
    const token = (mode: string) =>
      `os.files=[{path: /etc/cc/attestation.token, from: ${file('token')}, mode: "${mode}"}]`
    await expect(plan(...all, token('0644'))).rejects.toMatchObject({code: 'E_CONFIG'})
    await expect(plan(...all, token('0600'))).resolves.toBeDefined()
    await expect(plan(...all, token('0600'), 'layout.partitions.cc-root.encryption=none')).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('not encrypted') as string,
    })
  })
})

describe('the clock', () => {
  const packages = async (...sets: string[]) => words(await plan(...sets), 'base/10-packages')

  it('is set by chrony in place of systemd-timesyncd, where NTS servers are configured', async () => {
    const argv = await packages('kbs.clock.servers=[time.example.org]')
    expect(values(argv, 'package')).toContain('chrony')
    expect(values(argv, 'package')).not.toContain('systemd-timesyncd')
    expect(values(argv, 'replaced')).toEqual(['systemd-timesyncd'])
    expect(values(await packages('os.packages=[chrony]'), 'replaced')).toEqual(['systemd-timesyncd'])
  })

  it('is else that of the distribution', async () => {
    const argv = await packages()
    expect(values(argv, 'package')).toContain('systemd-timesyncd')
    expect(values(argv, 'replaced')).toEqual([])
  })
})
