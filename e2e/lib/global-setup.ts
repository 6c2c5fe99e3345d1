import {execFileSync} from 'node:child_process'
import {randomBytes} from 'node:crypto'
import {chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {join, resolve} from 'node:path'

import type {TestProject} from 'vitest/node'

import {asTestUser, makeIso} from './iso.js'
import {packages} from './packages.js'
import {makeUser, testUser} from './user.js'

const repository = resolve(import.meta.dirname, '../..')
const isRoot = process.getuid?.() === 0
/** Suites that make the ISOs and images that they need by themselves. */
const independent = ['ubuntu', 'registry']

/** Install the packed packages; and but for an independent suite, make the stand-in ISOs and build one image. */
export default async function setup(project: TestProject): Promise<() => void> {
  if (isRoot) makeUser(testUser)
  // Not /tmp: that may be a small tmpfs.
  const root = mkdtempSync(join(process.env['CC_E2E_DIR'] ?? '/var/tmp', 'cc-e2e-'))
  chmodSync(root, 0o755)
  const app = join(root, 'app')
  const tarballs = join(root, 'tarballs')
  installPackages(app, tarballs)
  if (isRoot) execFileSync('chown', [`${testUser}:`, root])

  const rootKey = join(root, 'root.key')
  writeFileSync(rootKey, randomBytes(32), {mode: 0o600})
  if (isRoot) execFileSync('chown', [`${testUser}:`, rootKey])
  const own = independent.includes(process.env['CC_E2E_SUITE'] ?? '')
  const iso = own
    ? {'debian-12': '', 'debian-13': ''}
    : {'debian-12': makeIso('bookworm'), 'debian-13': makeIso('trixie')}
  const bin = join(app, 'node_modules/.bin')
  const workDir = join(root, 'work')
  const output = join(root, 'build')
  if (!own) {
    say('build the image of debian-12')
    asTestUser([
      ...[process.execPath, join(bin, 'cc-image-installer'), '--iso', iso['debian-12'], '--root-key', rootKey],
      ...['--output', output, '--work-dir', workDir],
    ])
  }
  project.provide('lab', {
    ...{root, bin, tarballs, iso, rootKey, workDir},
    scripts: join(app, 'node_modules/cc-scripts'),
    image: join(output, 'confidential_computing_image'),
  })

  return () => {
    if (process.env['CC_E2E_KEEP'] === undefined) removeLab(root)
  }
}

/** What npm would publish, installed as npm would install it: nothing of the checkout is used by the tests. */
function installPackages(app: string, tarballs: string): void {
  say('pack and install the packages')
  mkdirSync(app)
  mkdirSync(tarballs)
  const npm = (words: string[], cwd: string) =>
    execFileSync('npm', [...words, '--silent'], {cwd, stdio: ['ignore', 'ignore', 'inherit']})
  for (const path of packages) npm(['pack', '--pack-destination', tarballs], join(repository, path))
  writeFileSync(join(app, 'package.json'), '{"private":true}\n')
  const files = readdirSync(tarballs).map((name) => join(tarballs, name))
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', ...files], app)
}

function removeLab(root: string): void {
  // Trees belong to subordinate ids.
  const remove = join(repository, 'scripts/tree/remove.sh')
  asTestUser(['bash', remove, '--tree', join(root, 'work')])
  rmSync(root, {recursive: true, force: true})
}

function say(text: string): void {
  process.stderr.write(`e2e: ${text}\n`)
}
