import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {tmpdir, userInfo} from 'node:os'
import {join, resolve} from 'node:path'

import {asUser, testUser} from './user.js'

const repository = resolve(import.meta.dirname, '../..')

/** The forms of the stand-in ISO, and how its maker is asked for each. */
export const isoForms = {
  bookworm: ['--suite', 'bookworm'],
  trixie: ['--suite', 'trixie'],
  'like-bookworm': ['--suite', 'bookworm', '--like', 'ubuntu'],
  'like-trixie': ['--suite', 'trixie', '--like', 'ubuntu'],
  'as-ubuntu-22.04': ['--as', 'ubuntu-22.04'],
  'as-ubuntu-24.04': ['--as', 'ubuntu-24.04'],
} as const
export type IsoForm = keyof typeof isoForms

/** The stand-in ISO of a form, from the cache where the tool that makes it has not changed since today's build. */
export function makeIso(form: IsoForm): string {
  const tool = join(repository, 'tools/standin-iso')
  const hash = createHash('sha256').update(new Date().toISOString().slice(0, 10))
  for (const name of readdirSync(tool).sort()) hash.update(readFileSync(join(tool, name)))
  const cache = join(tmpdir(), `cc-standin-${hash.digest('hex').slice(0, 16)}`)
  const iso = join(cache, `${form}.iso`)
  if (existsSync(iso)) return iso
  process.stderr.write(`e2e: make the stand-in ISO ${form}\n`)
  if (!existsSync(cache)) asTestUser(['mkdir', cache])
  const archives = join(cache, 'archives')
  asTestUser(['bash', join(tool, 'make-standin-iso.sh'), ...isoForms[form], '--output', iso, '--work-dir', archives])
  return iso
}

/** Run a program as the test user; its output is shown when it fails. */
export function asTestUser(argv: readonly string[]): void {
  const [program = '', ...args] = [...asUser(testUser), ...argv]
  execFileSync(program, args, {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: 1 << 28,
    env: {PATH: process.env['PATH'], HOME: userInfo().uid === 0 ? `/home/${testUser}` : process.env['HOME']},
  })
}
