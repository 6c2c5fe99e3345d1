import {existsSync} from 'node:fs'
import {mkdir, mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {profiles} from 'cc-core/distro'
import {findProgram, run} from 'cc-core/exec'

import {asUser, makeUser, testUser} from '../../e2e/lib/user.js'
import {measure, type Measurement} from './measure.js'

/** The checkout. */
export const repository = resolve(import.meta.dirname, '../..')
const isRoot = process.getuid?.() === 0
const here = (name: string) => join(import.meta.dirname, name)

/** What both builders install: the list of the profile, and python3. */
export const packages = (() => {
  const {basePackages, defaultKernel, localePackages} = profiles['debian-13']
  return [...new Set([...basePackages, defaultKernel, ...localePackages('en_US.UTF-8'), 'python3'])]
})()

/** A folder for one run of the benchmark. It belongs to the user that builds; root is one only for mkosi. */
export async function makeLab(cache: string): Promise<string> {
  await mkdir(cache, {recursive: true})
  const lab = await mkdtemp(join(cache, 'run-'))
  if (isRoot) {
    makeUser(testUser)
    await run(['chmod', '755', lab])
    await run(['chown', `${testUser}:`, lab])
  }
  return lab
}

/** Remove a folder with trees in it, which belong to subordinate ids. */
export async function removeTree(path: string): Promise<void> {
  await asBuilder(['bash', join(repository, 'scripts/tree/remove.sh'), '--tree', path])
}

export async function removeLab(lab: string): Promise<void> {
  for (const name of ['work', 'opened', 'roots']) await removeTree(join(lab, name))
  await run(['rm', '-rf', '--', lab])
}

/** The stand-in ISO of Debian 13. It is made once. */
export async function standinIso(cache: string): Promise<string> {
  const iso = join(cache, 'standin-debian-13.iso')
  if (existsSync(iso)) return iso
  const tool = join(repository, 'tools/standin-iso/make-standin-iso.sh')
  await run(['bash', tool, '--suite', 'trixie', '--output', iso], {logFile: join(cache, 'standin-iso.log')})
  return iso
}

/** cc-image-installer with these flags, as the user that builds. */
export function install(lab: string, flags: readonly string[]): Promise<Measurement> {
  const bin = join(repository, 'packages/cc-image-installer/bin/run.js')
  const words = ['--set', 'os.packages=[python3]', '--work-dir', join(lab, 'work'), ...flags]
  return asBuilder([process.execPath, bin, ...words])
}

/** Open an image into a new folder, as the user that builds. */
export function open(image: string, work: string): Promise<Measurement> {
  return asBuilder([process.execPath, join(repository, 'node_modules/tsx/dist/cli.mjs'), here('open.ts'), image, work])
}

/** Any other command, as the user that builds. */
export function asBuilder(argv: readonly string[]): Promise<Measurement> {
  const home = isRoot ? [`HOME=/home/${testUser}`] : []
  return measure([...asUser(testUser), 'env', ...home, ...argv])
}

/** mkosi, ready to be measured. */
export interface Mkosi {
  version: string
  build(): Promise<Measurement>
}

/**
 * Prepare mkosi in a folder of its own with Debian 13, and fill its package cache.
 * @returns why it cannot be, where it cannot
 */
export async function prepareMkosi(cache: string): Promise<Mkosi | string> {
  if (!isRoot) return 'mkosi runs in a chroot, so the benchmark must be run as root'
  if (findProgram('mmdebstrap') === null) return 'mmdebstrap, which makes the chroot for mkosi, is not on this host'
  const chroot = join(cache, 'mkosi-chroot')
  const logFile = join(cache, 'mkosi.log')
  const list = join(cache, 'mkosi-packages')
  const build = (...flags: string[]) => {
    const words = packages.flatMap((name) => ['--package', name])
    return measure(['bash', here('mkosi-image.sh'), '--chroot', chroot, ...words, ...flags], logFile)
  }
  try {
    const {stdout} = await run(['bash', here('mkosi-chroot.sh'), '--output', chroot], {collect: true, logFile})
    const wanted = packages.join(' ')
    if ((await readFile(list, 'utf8').catch(() => '')) !== wanted) {
      await build('--download')
      await writeFile(list, wanted)
    }
    return {version: stdout.trim(), build: () => build()}
  } catch (error) {
    return `mkosi does not run on this host, see ${logFile}: ${(error as Error).message}`
  }
}
