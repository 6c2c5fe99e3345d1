import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {readImageDirectory} from 'cc-core/manifest'
import {bootAndWatch, developmentKeys} from 'cc-core/vm'

import {asBuilder, repository} from './lab.js'
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
  return {whole, sites, bytes, eachSite: built.map(({ms}) => ms / 1000), flareBoot, hardenedBoot}
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
