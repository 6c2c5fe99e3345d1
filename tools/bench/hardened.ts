import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {readImageDirectory} from 'cc-core/manifest'
import {bootAndWatch, developmentKeys} from 'cc-core/vm'

import {asBuilder, removeTree, repository} from './lab.js'
import type {Measurement} from './measure.js'

/** Hardened images of one FLARE image, sealed in one run, and the boot of one of them beside that of the FLARE image. */
export interface HardenedMeasurement {
  /** Everything for all sites: application, lock-down, what they share, and each site. */
  whole: Measurement
  sites: number
  /** Of content of one image, and the seconds that each site took beyond what all share. */
  bytes: number
  eachSite: number[]
  /** Seconds of the guest's own clock: to the boot check of the FLARE image, and to the start of the FLARE service. */
  flareBoot: number
  hardenedBoot: number
  /** What all sites lean on, and the most that one of them adds, in bytes on the file system. */
  shared: number
  own: number
  roots: RootMeasurement
}

/** One seal of the same tree with each file system of the root. */
export interface RootMeasurement {
  /** Bytes of the files in the tree. */
  content: number
  ext4: {seconds: number; stored: number; written: number}
  squashfs: {seconds: number; stored: number; written: number}
}

async function measureRoots(lab: string, image: string): Promise<RootMeasurement> {
  const tsx = join(repository, 'node_modules/tsx/dist/cli.mjs')
  const work = join(lab, 'roots')
  await removeTree(work)
  const {stdout} = await asBuilder([process.execPath, tsx, join(import.meta.dirname, 'roots.ts'), image, work])
  return JSON.parse(stdout) as RootMeasurement
}

/** Bytes of a folder on its file system; what two names lead to counts once. */
async function stored(folder: string): Promise<number> {
  const {stdout} = await run(['du', '--summarize', '--block-size=1', folder], {collect: true})
  return Number.parseInt(stdout, 10)
}

/** What starts as a FLARE client would: a start-up kit whose program does nothing. */
async function standInKit(folder: string, site: string): Promise<string> {
  const kit = join(folder, site)
  for (const part of ['startup', 'local']) await mkdir(join(kit, part), {recursive: true})
  await writeFile(join(kit, 'startup/fed_client.json'), '{}')
  await writeFile(join(kit, 'startup/sub_start.sh'), '#!/bin/bash\nexec sleep infinity\n')
  await chmod(join(kit, 'startup/sub_start.sh'), 0o755)
  return kit
}

export async function measureHardened(lab: string, flare: string, sites: number): Promise<HardenedMeasurement> {
  const folder = join(lab, 'sites')
  await mkdir(folder)
  const requirements = join(folder, 'requirements.txt')
  await writeFile(requirements, '')
  const files: string[] = []
  for (let number = 1; number <= sites; number += 1) {
    const site = `site-${number}`
    const file = join(folder, `${site}.yml`)
    const kit = await standInKit(folder, site)
    await writeFile(file, `site: ${site}\nrequirements: ${requirements}\nuser_config: {nvflare: ${kit}}\n`)
    files.push('--site', file)
  }
  await run(['sync']) // what was built before is not to be waited for
  const builder = join(repository, 'packages/cc-hardening-builder/bin/run.js')
  const places = ['--image', flare, '--output', join(lab, 'hardened'), '--work-dir', join(lab, 'work')]
  const whole = await asBuilder([process.execPath, builder, '--development', '--json', ...files, ...places])
  const {images: built} = JSON.parse(whole.stdout) as {images: {image: string; ms: number}[]}
  const [first] = built
  if (first === undefined) throw new Error('no site was built')
  const {manifest} = await readImageDirectory(first.image)
  const bytes = manifest.partitions.reduce((sum, {content}) => sum + (content?.bytes ?? 0), 0)
  const flareBoot = await boot(flare, 'CC-BOOT {')
  const hardenedBoot = await boot(first.image, 'CC-READY {')
  const own = Math.max(...(await Promise.all(built.map(({image}) => stored(image)))))
  const shared = await stored(join(lab, 'hardened/shared'))
  const roots = await measureRoots(lab, first.image)
  const eachSite = built.map(({ms}) => ms / 1000)
  return {whole, sites, bytes, eachSite, flareBoot, hardenedBoot, shared, own, roots}
}

/** The seconds that a guest says it took to come up. */
async function boot(path: string, sign: string): Promise<number> {
  const image = await readImageDirectory(path)
  const {manifest, file} = image
  const keys = developmentKeys(image, file('keys/root.key'))
  const {matched} = await bootAndWatch({
    vm: {
      ...{accelerator: 'tcg', memoryMiB: 2048, cpus: 2, kernel: file('vmlinuz'), initrd: file('initrd.img'), keys},
      ...{cmdline: manifest.cmdline, disks: [{file: file(`${manifest.name}.qcow2`), serial: 'cc', mode: 'snapshot'}]},
    },
    until: (line) => line.startsWith(sign),
    timeoutMs: 600_000,
  })
  if (matched === null) throw new Error(`${path} does not come up`)
  return (JSON.parse(matched.slice(matched.indexOf('{'))) as {seconds: number}).seconds
}
