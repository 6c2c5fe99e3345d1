import {chmod, stat} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {parseConfig} from 'cc-core/config'
import {run} from 'cc-core/exec'
import {readImageDirectory} from 'cc-core/manifest'

import {asBuilder, install, removeTree, repository} from './lab.js'
import type {Measurement} from './measure.js'
import {phasesOf} from './report.js'

const gibibyte = 1024 ** 3

/** The FLARE stage on a base image of 1 GiB of content. */
export interface FlareMeasurement {
  whole: Measurement
  /** pip alone: the same packages into an environment of this host, from the same cache. */
  pip: Measurement
  /** Seconds of all steps but pip's own and the compiling, which pip alone does, too. */
  steps: number
  /** Bytes of content in the base image. */
  content: number
}

/** A base image that a file fills up to 1 GiB, and NVIDIA FLARE on top of it, beside pip alone. */
export async function measureFlare(lab: string, iso: string): Promise<FlareMeasurement> {
  const output = join(lab, 'flare')
  const filler = join(lab, 'filler')
  await fill(filler, 620 * 1024 * 1024)
  const files = `os.files=[{path: /opt/filler, from: ${filler}, mode: '0644'}]`
  await install(lab, ['--iso', iso, '--output', output, '--set', files])
  const {manifest} = await readImageDirectory(join(output, 'confidential_computing_image'))
  const content = manifest.partitions.find(({name}) => name === 'cc-root')?.content?.bytes ?? 0
  const cache = join(lab, 'work/pip')
  await pipAlone(lab, cache) // fills the cache
  const pip = await pipAlone(lab, cache)
  await run(['sync']) // what was built before is not to be waited for
  const builder = join(repository, 'packages/cc-flare-builder/bin/run.js')
  const places = ['--output', output, '--work-dir', join(lab, 'work'), '--size', '40G']
  const whole = await asBuilder([process.execPath, builder, ...places])
  const phases = phasesOf(whole.stderr).filter(({title}) => !/^(Install NVIDIA FLARE|Compile the Python)/.test(title))
  return {whole, pip, steps: phases.reduce((sum, {seconds}) => sum + seconds, 0), content}
}

async function pipAlone(lab: string, cache: string): Promise<Measurement> {
  const venv = join(lab, 'pip-alone')
  await removeTree(venv)
  await asBuilder(['python3', '-m', 'venv', venv])
  const {requirements} = parseConfig({}).flare
  return asBuilder([join(venv, 'bin/pip'), 'install', '--quiet', '--cache-dir', cache, ...requirements])
}

/** Seconds to open an image of some content and to seal it again, for one site and for more. */
export interface SealMeasurement {
  /** Of content, as it lies on the disk. */
  bytes: number
  opened: number
  /** A tree to an image; the same in two parts, what all sites share and what each has of its own. */
  whole: number
  prepare: number
  alone: number
  /** `others` sites at the same time. */
  together: number
  others: number
}

/** How long sealing takes once a tree is there, and for each further site from what was prepared of it. */
export async function measureSeal(lab: string, image: string): Promise<SealMeasurement> {
  const tsx = join(repository, 'node_modules/tsx/dist/cli.mjs')
  const work = join(lab, 'opened')
  await removeTree(work)
  const script = join(import.meta.dirname, 'seal.ts')
  const {stdout} = await asBuilder([process.execPath, tsx, script, image, work, '3'])
  return JSON.parse(stdout) as SealMeasurement
}

/** Programs and libraries of this host, behind one another: content that can be compressed as that of a system can. */
async function fill(path: string, bytes: number): Promise<void> {
  const list = 'find /usr/lib /usr/bin /usr/share -xdev -type f -size -64M -print0 | LC_ALL=C sort -z'
  await run(['bash', '-c', `(${list} | xargs -0 cat 2>/dev/null || true) | head -c "$0" >"$1"`, String(bytes), path])
  const {size} = await stat(path)
  if (size !== bytes) throw new Error(`this host has only ${size} bytes of programs to fill an image with`)
  await chmod(path, 0o644)
}

/** cc-resize beside virt-resize, as tools/bench/resize.sh prints it. */
export async function measureResize(cache: string, image: string): Promise<string> {
  const script = join(import.meta.dirname, 'resize.sh')
  const {manifest} = await readImageDirectory(image)
  const words = ['--chroot', join(cache, 'virt-resize-chroot'), '--size', String(40 * gibibyte)]
  const partition = String(manifest.partitions.length)
  const argv = ['bash', script, '--image', resolve(image), ...words, '--partition', partition]
  const {stdout} = await run(argv, {collect: true, logFile: join(cache, 'resize.log'), timeoutMs: 900_000})
  return stdout
}
