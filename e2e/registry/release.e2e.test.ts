import {execFile} from 'node:child_process'
import {appendFileSync, existsSync, readFileSync} from 'node:fs'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {folder} from '../lib/lab.js'
import {aliases, packages} from '../lib/packages.js'
import {startRegistry, type Registry} from '../lib/registry.js'

const source = resolve(import.meta.dirname, '../..')
const minutes = 60_000

let registry: Registry
/** A clone of what is committed in this repository, which may be released and thrown away. */
let clone: string

async function run(program: string, ...words: string[]): Promise<string> {
  const env = {...registry.env, CI: 'true', NX_DAEMON: 'false', NO_COLOR: '1', OCLIF_SKIP_NEW_VERSION_CHECK: 'true'}
  return (await promisify(execFile)(program, words, {cwd: clone, env, maxBuffer: 1 << 26})).stdout
}

/** Each package that a release has changed, with its new version. */
type Versions = Record<string, string>

/** Make a change in a file of the clone, and commit it. */
async function commit(path: string, ...messages: string[]): Promise<void> {
  appendFileSync(join(clone, path), `// ${messages[0] ?? ''}\n`)
  await run('git', 'commit', '--all', '--quiet', ...messages.flatMap((message) => ['--message', message]))
}

/** Release as CONTRIBUTING.md says. */
async function release(words: string[] = [], tag = 'latest'): Promise<Versions> {
  await run('npx', 'nx', 'release', ...words, '--skip-publish')
  expect(await run('git', 'status', '--porcelain')).toBe('')
  await run('npx', 'nx', 'release', 'publish', '--tag', tag)
  expect(await run('git', 'status', '--porcelain')).toBe('')
  const tags = (await run('git', 'tag', '--points-at', 'HEAD')).trim().split('\n')
  return Object.fromEntries(tags.map((name) => name.split('@') as [string, string]))
}

const folderOf = (name: string): string => {
  const found = [...packages, ...aliases].find((path) => path.endsWith(`/${name}`))
  return join(clone, found ?? 'scripts')
}

/** The newest section of a changelog. */
function newest(name: string): string {
  const file = join(folderOf(name), 'CHANGELOG.md')
  return existsSync(file) ? (readFileSync(file, 'utf8').split(/^(?=## )/m)[0] ?? '') : ''
}

/** What the registry says of a version, or of the newest one that has a tag. */
async function view(spec: string): Promise<{version: string; dependencies?: Versions}> {
  return JSON.parse(await run('npm', 'view', spec, '--json')) as {version: string; dependencies?: Versions}
}

/** Everything that a release has to do for each package that it has changed. */
async function expectReleased(versions: Versions): Promise<void> {
  for (const [name, version] of Object.entries(versions)) {
    expect(newest(name), name).toMatch(new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(`))
    const [{files = []} = {}] = JSON.parse(await run('npm', 'pack', `${name}@${version}`, '--dry-run', '--json')) as {
      files?: {path: string}[]
    }[]
    const paths = files.map(({path}) => path)
    expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', ...programs(name)]))
    expect(paths.filter((path) => /\.test\.|\.bats$|^src\/|tsbuildinfo/.test(path))).toEqual([])
    // What it needs of ours is there, in that version.
    const {dependencies = {}} = await view(`${name}@${version}`)
    for (const [needed, range] of Object.entries(dependencies).filter(([other]) => own.includes(other)))
      expect(range, `${needed} in ${name}`).toBe(`^${versions[needed] ?? (await view(needed)).version}`)
  }
}

const own = [...packages, ...aliases].map((path) =>
  path === 'scripts' ? 'cc-scripts' : (path.split('/').at(-1) ?? ''),
)
/** What depends on cc-core, directly or not. */
const above = own.filter((name) => name !== 'cc-core' && name !== 'cc-scripts')
const each = (names: readonly string[], version: string): Versions =>
  Object.fromEntries(names.map((name) => [name, version]))

/** Files without which a package is empty. */
function programs(name: string): string[] {
  if (name === 'cc-scripts') return ['lib/step.sh', 'guest/cc/key-source/kbs']
  if (name === 'cc-core') return ['dist/seal/index.js', 'dist/seal/index.d.ts']
  if (name.startsWith('nvflare')) return ['run.js']
  return ['bin/run.js', 'oclif.manifest.json', name === 'cc-image-test' ? 'dist/commands/base.js' : 'dist/index.js']
}

beforeAll(async () => {
  const root = folder('release')
  registry = await startRegistry(join(root, 'registry'))
  clone = join(root, 'clone')
  await promisify(execFile)('git', ['clone', '--quiet', '--no-tags', source, clone])
  await run('git', 'switch', '--quiet', '--create', 'rehearsal')
  await run('git', 'config', 'user.name', 'Rehearsal')
  await run('git', 'config', 'user.email', 'rehearsal@example.org')
  // Not from the registry of the test: what npm has in its cache need not pass through it.
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--prefer-offline'], {cwd: clone})
}, 20 * minutes)

afterAll(() => registry.stop())

// Each goes on where the one before it ended.
describe('nx release', {timeout: 20 * minutes}, () => {
  it('releases every package for the first time', async () => {
    const versions = await release(['0.1.0', '--first-release'])
    expect(versions).toEqual(each(own, '0.1.0'))
    await expectReleased(versions)
    expect(newest('cc-core')).toContain('### 🚀 Features')
  })

  it('takes a fix of cc-core to everything that depends on it, aliases too', async () => {
    await commit('packages/cc-core/src/resize/index.ts', 'fix(cc-core): the rehearsed fix')
    const versions = await release()
    expect(versions).toEqual(each(['cc-core', ...above], '0.1.1'))
    await expectReleased(versions)
    expect(newest('cc-core')).toMatch(/### 🩹 Fixes\n\n- \*\*cc-core:\*\* the rehearsed fix\n/)
    expect(newest('cc-flare-builder')).toContain('- Updated cc-core to 0.1.1\n')
    expect(newest('nvflare-cc-builder')).toContain('- Updated cc-flare-builder to 0.1.1\n')
    expect(newest('cc-flare-builder')).not.toContain('the rehearsed fix')
  })

  it('releases a feature of one command alone; below 1.0 it is a patch', async () => {
    await commit('packages/cc-resize/src/index.ts', 'feat(cc-resize): the rehearsed feature')
    const versions = await release()
    expect(versions).toEqual({'cc-resize': '0.1.2'})
    await expectReleased(versions)
    expect(newest('cc-resize')).toMatch(/### 🚀 Features\n\n- \*\*cc-resize:\*\* the rehearsed feature\n/)
  })

  it('shows a breaking change in the version and in the notes; below 1.0 it is the minor number', async () => {
    const footer = 'BREAKING CHANGE: what was is gone.'
    await commit('packages/cc-core/src/resize/index.ts', 'feat(cc-core)!: the rehearsed break', footer)
    const versions = await release()
    expect(versions).toEqual({...each(above, '0.1.2'), 'cc-core': '0.2.0', 'cc-resize': '0.1.3'})
    await expectReleased(versions)
    expect(newest('cc-core')).toMatch(
      /Breaking Changes\n\n- \*\*cc-core:\*\* the rehearsed break\n +what was is gone\.\n/,
    )
    expect(await run('npm', 'run', '--silent', 'release-notes', 'cc-core')).toMatch(
      /^## 0\.2\.0 [^]*BREAKING CHANGES\n\n\* \*\*cc-core:\*\* what was is gone\./,
    )
  })

  it('publishes a pre-release that only those get who ask for it', async () => {
    await commit('packages/cc-flare-builder/src/index.ts', 'feat(cc-flare-builder): the rehearsed pre-release')
    const versions = await release(['--preid', 'beta'], 'next')
    expect(versions).toEqual(each(['cc-flare-builder', 'nvflare-cc-builder'], '0.1.3-beta.0'))
    await expectReleased(versions)
    expect((await view('nvflare-cc-builder')).version).toBe('0.1.2')
    expect((await view('nvflare-cc-builder@next')).version).toBe('0.1.3-beta.0')
  })

  it('leaves manifests and a lock file that agree', async () => {
    await run('npm', 'ci', '--dry-run', '--ignore-scripts')
    await run('npx', 'vitest', 'run', 'tools/check-repo.test.ts', '--testNamePattern', '^dependencies')
  })
})
