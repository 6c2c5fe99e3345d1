import {execFileSync} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {isSettledReport, readSettledReport} from 'cc-core/vm'

import {boot, copyImage, type Boot} from '../lib/boot.js'
import {makeIso, type IsoForm} from '../lib/iso.js'
import {buildOf, cc, errorOf, folder, runAsUser} from '../lib/lab.js'
import {watchProcesses} from '../lib/processes.js'
import {standIn} from '../lib/tee.js'
import {giveToUser} from '../lib/user.js'

const hour = 3_600_000
/** What a cloud-init that obeys the host prints to the console. */
const marker = 'CODE OF THE HOST'
/** How long a machine goes on after the end of its boot, so that the last words are on the console. */
const lingerMs = 5000

/** A disk as clouds give it: cloud-init runs its commands as root. */
let seed: string

beforeAll(() => {
  const work = folder('cidata')
  writeFileSync(join(work, 'meta-data'), 'instance-id: host\nlocal-hostname: host\n')
  writeFileSync(join(work, 'user-data'), `#cloud-config\nbootcmd:\n  - echo '${marker}' >/dev/console\n`)
  seed = join(work, 'seed.iso')
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-J', '-r', '-V', 'cidata', '-o', seed, work], {stdio: 'ignore'})
  giveToUser(work)
})

/** Boot an image, with or without the disk, until everything that the boot starts has started or failed. */
async function watch(name: string, image: string, withSeed: boolean): Promise<Boot> {
  return boot(copyImage(name, image), {
    memory: '2048',
    network: true,
    until: 'never said',
    timeoutMs: 900_000,
    dataDisks: withSeed ? [{file: seed, serial: 'cidata', readOnly: true}] : [],
    onLine: (line, stop) => {
      if (isSettledReport(line)) setTimeout(stop, lingerMs)
    },
  })
}

/** What went wrong in a boot: units that failed, questions, and code of the host. Nothing, as it should be. */
function faults({console: lines, ended}: Boot): string[] {
  const {state, failedUnits} = readSettledReport(lines)
  if (ended !== 'came-up' || failedUnits === undefined) return ['did not come up', ...lines.slice(-20)]
  // The report itself has the word in a key.
  const others = lines.filter((line) => !isSettledReport(line))
  const bad = new RegExp(`FAILED|Failed to start|Press|password for|${marker}`, 'i')
  return [...(state === 'running' ? [] : [`is ${state}`]), ...failedUnits, ...others.filter((line) => bad.test(line))]
}

/** A package index that has no package, and is asked with a password. */
async function privateIndex(): Promise<{url: string; password: string; close: () => Promise<number>}> {
  const password = randomBytes(12).toString('hex')
  let asked = 0
  const server = createServer(({headers}, response) => {
    const right = headers.authorization === `Basic ${Buffer.from(`site:${password}`).toString('base64')}`
    if (right) asked += 1
    response.writeHead(right ? 404 : 401, {'www-authenticate': 'Basic realm="packages"'}).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  const close = async () => {
    server.close()
    await once(server, 'close')
    return asked
  }
  return {url: `http://site:${password}@127.0.0.1:${port}/simple`, password, close}
}

/** Both boots of an image, one beside the other. */
async function bothBoots(name: string, image: string): Promise<Record<string, string[]>> {
  const [plain, seeded] = await Promise.all([
    watch(`${name}-plain`, image, false),
    watch(`${name}-seeded`, image, true),
  ])
  const found = {plain: faults(plain), seeded: faults(seeded)}
  // The runner shows it at the end of the suite alone, an hour later.
  if (found.plain.length + found.seeded.length > 0) process.stderr.write(`e2e: ${name}: ${JSON.stringify(found)}\n`)
  return found
}

const base = (form: IsoForm, work: string, ...sets: string[]) =>
  cc('cc-image-installer', [
    ...['--iso', makeIso(form), '--output', join(work, 'build'), '--work-dir', join(work, 'work'), '--json'],
    ...sets.flatMap((set) => ['--set', set]),
  ])

describe.each<IsoForm>(['like-bookworm', 'like-trixie', 'as-ubuntu-22.04', 'as-ubuntu-24.04'])('%s', (form) => {
  let work: string
  const images: Record<string, string> = {}
  const imageOf = (stage: string) => {
    const image = images[stage]
    if (image === undefined) throw new Error(`the ${stage} image was not built: see the test before`)
    return image
  }

  beforeAll(() => {
    work = folder(form)
  })

  it(
    'becomes a base image that boots without a failed unit, and without code of the host',
    async () => {
      images['base'] = buildOf(await base(form, work)).image
      expect(await bothBoots(`${form}-base`, images['base'])).toEqual({plain: [], seeded: []})
    },
    hour,
  )

  it(
    'becomes a FLARE image that does so, too; the password of a package index is seen nowhere',
    async () => {
      const index = await privateIndex()
      const config = join(work, 'index.yaml')
      writeFileSync(config, `flare: {extraIndexUrls: ["${index.url}"]}\n`, {mode: 0o600})
      giveToUser(config)
      const words = ['--image', imageOf('base'), '--output', join(work, 'flare'), '--size', '8G', '--config', config]
      const seen = watchProcesses(index.password)
      const result = await cc('nvflare-cc-builder', [...words, '--work-dir', join(work, 'flare-work'), '--json'])
      expect(seen()).toEqual([])
      images['flare'] = buildOf(result).image
      // It was used, so it could have been seen.
      expect(await index.close()).toBeGreaterThan(0)
      const left = ['grep', '-rlF', '--', index.password, imageOf('flare'), join(work, 'flare-work')]
      expect([result.stdout, result.stderr].join('')).not.toContain(index.password)
      expect((await runAsUser(left)).stdout).toBe('')
      expect(faults(await watch(`${form}-flare`, images['flare'], true))).toEqual([])
    },
    hour,
  )

  it(
    'becomes a hardened image that does so, too',
    async () => {
      const requirements = join(work, 'requirements.txt')
      writeFileSync(requirements, 'six==1.17.0\n')
      // The modules of a renamed kernel have no signature any more.
      const kernel = form.startsWith('as-') ? ['--set', 'hardening.lockdown=none'] : []
      const result = await cc('nvflare_cc_hardening_builder', [
        ...['--image', imageOf('flare'), '--output', join(work, 'hardened'), '--development', '--role', 'client'],
        ...['--requirements', requirements, ...kernel, '--json'],
      ])
      const {image} = buildOf(result)
      expect(await bothBoots(`${form}-hardened`, image)).toEqual({plain: [], seeded: []})
    },
    hour,
  )
})

describe('what the tests above look for is found', () => {
  it(
    'where cloud-init is kept, and a unit fails late',
    async () => {
      const work = folder('kept')
      const unit = join(work, 'late.service')
      writeFileSync(unit, '[Service]\nType=oneshot\nExecStart=/bin/sh -c "sleep 10; exit 1"\n')
      // A file in multi-user.target.wants would only name a unit; this is no place for one.
      const want = join(work, 'want.conf')
      writeFileSync(want, '[Unit]\nWants=late.service\n')
      const system = '/etc/systemd/system'
      const files = [
        `{path: ${system}/late.service, from: ${unit}, mode: "0644"}`,
        `{path: ${system}/multi-user.target.d/late.conf, from: ${want}, mode: "0644"}`,
      ]
      const file = `os.files=[${files.join(', ')}]`
      const {image} = buildOf(await base('like-bookworm', work, 'os.keep=[cloud-init]', file))
      const found = faults(await watch('kept', image, true))
      expect(found.join('\n')).toContain(marker)
      expect(found.join('\n')).toContain('late.service')
    },
    hour,
  )
})

describe('profile: production', () => {
  let snpguest: string
  beforeAll(() => {
    snpguest = `os.files=[{path: /usr/local/bin/snpguest, from: ${standIn('snpguest')}, mode: "0755"}]`
  })
  const root = 'layout.partitions.cc-root={integrity: verity, key: tee-derived}'

  it(
    'refuses the kernel of 22.04 itself',
    async () => {
      const work = folder('production-ga')
      const error = errorOf(await base('as-ubuntu-22.04', work, 'profile=production', root, 'os.kernel=linux-generic'))
      expect(error).toMatchObject({code: 'E_CONFIG', suggestions: ['set os.kernel to linux-generic-hwe-22.04']})
    },
    hour,
  )

  it.each<[IsoForm, string]>([
    ['as-ubuntu-22.04', 'linux-generic-hwe-22.04'],
    ['as-ubuntu-24.04', 'linux-generic'],
    ['as-ubuntu-24.04', 'linux-generic-hwe-24.04'],
  ])(
    'of %s with %s opens nothing where there is no TEE',
    async (form, kernel) => {
      const work = folder(`production-${kernel}`)
      const {image} = buildOf(await base(form, work, 'profile=production', root, snpguest, `os.kernel=${kernel}`))
      const {packages} = JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')) as {packages: {name: string}[]}
      expect(packages.map(({name}) => name)).toContain(kernel)
      const {console: lines, ended} = await boot(copyImage(work.split('/').at(-1) ?? '', image), {rootKey: null})
      expect(ended, lines.join('\n')).toBe('powered-off')
      expect(lines.join('\n')).toMatch(/cc-root: no key from 'tee-derived': this machine has no SEV-SNP/)
      expect(lines.join('\n')).not.toMatch(/CC-BOOT|login:/)
    },
    hour,
  )
})

describe("the driver of Ubuntu's archive", () => {
  it(
    'comes with prebuilt modules, which fit the kernel',
    async () => {
      const work = folder('driver')
      const iso = makeIso('as-ubuntu-22.04')
      const archive = join(work, 'archive')
      execFileSync('xorriso', [
        ...['-osirrox', 'on:auto_chmod_on', '-indev', iso],
        ...['dists', 'pool'].flatMap((name) => ['-extract', `/${name}`, join(archive, name)]),
      ])
      const server = createServer((request, response) => {
        const file = join(archive, decodeURIComponent(request.url ?? ''))
        if (existsSync(file)) response.end(readFileSync(file))
        else response.writeHead(404).end()
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const {port} = server.address() as AddressInfo
      try {
        const mirror = `source.mirrors=["deb [check-date=no] http://127.0.0.1:${port} jammy main restricted"]`
        const words = ['nvidia.enabled=true', 'nvidia.onFailure=stop', 'nvidia.cuda.packages=[]', mirror]
        const {image} = buildOf(await base('as-ubuntu-22.04', work, ...words))
        const {packages} = JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')) as {
          packages: {name: string}[]
        }
        const names = packages.map(({name}) => name)
        expect(names).toContain('linux-generic-hwe-22.04')
        expect(names).toContainEqual(expect.stringMatching(/^linux-modules-nvidia-580-server-open-.*-generic$/))
      } finally {
        server.close()
      }
    },
    hour,
  )
})
