import {execFileSync} from 'node:child_process'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join, resolve} from 'node:path'

import {Config, type Command} from '@oclif/core'
import {describe, expect, it} from 'vitest'

const repository = resolve(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(repository, path), 'utf8')

interface Manifest {
  name: string
  version: string
  private?: boolean
  bin?: Record<string, string>
  files?: string[]
  scripts?: Record<string, string>
  engines?: Record<string, string>
  os?: string[]
  cpu?: string[]
  keywords?: string[]
  license?: string
  oclif?: object
  publishConfig?: {access?: string}
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const inside = (folder: string) => readdirSync(join(repository, folder)).map((name) => `${folder}/${name}`)
const folders = ['.', 'scripts', 'tools', 'e2e', ...inside('packages'), ...inside('packages/aliases')].filter(
  (folder) => existsSync(join(repository, folder, 'package.json')),
)
const packages = folders.map((folder) => ({
  folder,
  manifest: JSON.parse(read(join(folder, 'package.json'))) as Manifest,
}))
const published = packages.filter(({manifest}) => manifest.private !== true)
const commands = published.filter(({manifest}) => manifest.oclif !== undefined)
const aliases = published.filter(({folder}) => folder.startsWith('packages/aliases/'))
const workspaces = new Map(packages.map(({manifest}) => [manifest.name, manifest.version]))

const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(repository, path)))

describe('dependencies', () => {
  const uses = packages.flatMap(({folder, manifest}) =>
    Object.entries({...manifest.dependencies, ...manifest.devDependencies}).map(([name, range]) => ({
      folder,
      isPrivate: manifest.private === true,
      name,
      range,
    })),
  )

  it('of others are pinned to one version, the same everywhere', () => {
    const foreign = uses.filter(({name}) => !workspaces.has(name))
    expect(foreign.length).toBeGreaterThan(10)
    for (const {folder, name, range} of foreign) {
      expect(range, `${name} in ${folder}`).toMatch(/^\d+\.\d+\.\d+$/)
      expect(range, `${name} in ${folder}`).toBe(foreign.find((other) => other.name === name)?.range)
    }
  })

  // nx release writes the versions of published packages only; in a private package they would soon be out of date.
  it('of our own packages name the version that is here; any version will do for a private package', () => {
    const own = uses.filter(({name}) => workspaces.has(name))
    expect(own.length).toBeGreaterThan(3)
    for (const {folder, isPrivate, name, range} of own)
      expect(range, `${name} in ${folder}`).toBe(isPrivate ? '*' : `^${workspaces.get(name) ?? ''}`)
  })

  it('are all in the lock file', () => {
    const lock = JSON.parse(read('package-lock.json')) as {packages: Record<string, Manifest>}
    for (const {folder, manifest} of packages) {
      const locked = lock.packages[folder === '.' ? '' : folder]
      expect(locked?.dependencies ?? {}, folder).toEqual(manifest.dependencies ?? {})
      expect(locked?.devDependencies ?? {}, folder).toEqual(manifest.devDependencies ?? {})
    }
  })
})

describe('published packages', () => {
  it.each(published)('$folder holds what it needs and nothing of its tests', ({folder, manifest}) => {
    const words = ['pack', '--dry-run', '--json', '--ignore-scripts', '--silent']
    const [{files = []} = {}] = JSON.parse(
      execFileSync('npm', words, {cwd: join(repository, folder), encoding: 'utf8'}),
    ) as {files?: {path: string}[]}[]
    const names = files.map(({path}) => path)
    expect(
      names.filter((name) => /\.(test|cases)\.|\.bats$|tsbuildinfo|(^|\/)(src|test|fixtures)\//.test(name)),
    ).toEqual([])
    expect(needed(folder, manifest).filter((name) => !names.includes(name))).toEqual([])
    expect(read(join(folder, 'LICENSE'))).toBe(read('LICENSE'))
    expect(manifest).toMatchObject({
      ...{license: 'Apache-2.0', engines: {node: '>=20.19'}, os: ['linux'], cpu: ['x64']},
      ...{publishConfig: {access: 'public'}, keywords: expect.arrayContaining(['confidential computing']) as string[]},
    })
  })

  /** What must be in the package: its papers; all steps and guest files, the compiled modules, the program. */
  function needed(folder: string, {bin}: Manifest): string[] {
    const common = ['package.json', 'README.md', 'LICENSE', ...Object.values(bin ?? {})]
    if (folder.startsWith('packages/aliases/')) return common
    if (folder === 'scripts') {
      const all = tracked.filter((path) => path.startsWith('scripts/') && !/\.bats$|^scripts\/test\//.test(path))
      return [...common, ...all.map((path) => path.slice('scripts/'.length))]
    }
    const sources = tracked.filter(
      (path) => path.startsWith(`${folder}/src/`) && !/\.(test|cases)\.ts$|\/fixtures\//.test(path),
    )
    expect(sources.length, `${folder}/src`).toBeGreaterThan(0)
    const modules = sources.map((path) => path.slice(folder.length + 1).replace(/^src\/(.*)\.ts$/, 'dist/$1.js'))
    return [...common, ...modules]
  }

  it.each(commands)('$folder makes its oclif manifest when it is packed, and not before', ({folder, manifest}) => {
    expect(manifest.files).toContain('oclif.manifest.json')
    expect(manifest.scripts).toMatchObject({prepack: 'oclif manifest', postpack: 'rm -f oclif.manifest.json'})
    // One that is left over hides every later change of the flags.
    expect(existsSync(join(repository, folder, 'oclif.manifest.json'))).toBe(false)
    for (const file of Object.values(manifest.bin ?? {}))
      expect(read(join(folder, file))).toMatch(/^#!\/usr\/bin\/env node\n/)
  })
})

describe('a bare npx', () => {
  const bins = (name: string) => Object.keys(commands.find(({manifest}) => manifest.name === name)?.manifest.bin ?? {})

  it.each(aliases)('$folder starts the real program, which has a bin of that name', ({folder, manifest}) => {
    const [real = '', ...others] = Object.keys(manifest.dependencies ?? {})
    expect(others).toEqual([])
    expect(bins(real)).toContain(manifest.name)
    expect(manifest.bin).toEqual({[manifest.name]: 'run.js'})
    expect(read(join(folder, 'run.js'))).toContain(`\nimport '${real}/bin/run.js'\n`)
  })

  it('finds a package of each name that help and documents use', async () => {
    const names = published.map(({manifest}) => manifest.name)
    const documents = tracked.filter((path) => path.endsWith('.md'))
    const told = documents.flatMap((path) =>
      [...read(path).matchAll(/\bnpx (?:--yes )?((?:cc|nvflare)[-\w]*)/g)].map(([, name = '']) => name),
    )
    const own = await Promise.all(
      commands.map(async ({folder}) => (await Config.load({root: join(repository, folder)})).bin),
    )
    expect([...own, ...told].filter((name) => !names.includes(name))).toEqual([])
  })
})

describe('help', () => {
  it.each(commands)('$folder: every command has an example, every flag a summary', async ({folder}) => {
    const config = await Config.load({root: join(repository, folder)})
    expect(config.commands.length).toBeGreaterThan(0)
    for (const command of config.commands) {
      expect(command.summary, command.id).toMatch(/^[A-Z].*\.$/)
      expect(command.examples?.length ?? 0, command.id).toBeGreaterThan(0)
      for (const [name, flag] of flagsOf(command)) expect(flag.summary, `--${name}`).toMatch(/^[A-Z].*\.$/)
      for (const [name, arg] of Object.entries(command.args)) expect(arg.description, name).toBeTruthy()
    }
  })

  /** --json is oclif's own. */
  const flagsOf = ({flags}: Command.Loadable) => Object.entries(flags).filter(([name]) => name !== 'json')
})

describe('no tracked file', () => {
  const texts = tracked
    .map((path) => ({path, bytes: readFileSync(join(repository, path))}))
    .filter(({bytes}) => !bytes.includes(0))
    .map(({path, bytes}) => ({path, text: bytes.toString('utf8')}))
  const found = (pattern: RegExp) =>
    texts.flatMap(({path, text}) =>
      text.split('\n').flatMap((line) => (pattern.test(line) ? [`${path}: ${line.trim()}`] : [])),
    )

  it('names a folder of a developer’s machine', () => {
    // Where keys that let root log in would be is a place of every machine, and looked at in guests.
    const folders = [
      'work',
      'root(?!/\\.ssh\\b)',
      'Users',
      ...['builder', 'ubuntu', 'runner'].map((user) => `home/${user}`),
    ]
    expect(found(new RegExp(`(?<![\\w.$}\\])*/-])/(${folders.join('|')})/`))).toEqual([])
  })

  it('names a package registry: which one is used is for the host to say', () => {
    // In pieces, so that this file does not name them either.
    const hosts = [
      ...['deb debian org', 'security debian org', 'snapshot debian org', 'ftp debian org'],
      ...['archive ubuntu com', 'security ubuntu com', 'registry npmjs org', 'registry yarnpkg com'],
      ...['pypi org', 'files pythonhosted org', 'static crates io', 'proxy golang org'],
    ].map((host) => host.replaceAll(' ', '[.]'))
    expect(found(new RegExp(hosts.join('|')))).toEqual([])
  })
})
