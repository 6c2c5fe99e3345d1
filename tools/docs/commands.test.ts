import {execFileSync} from 'node:child_process'
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {configJsonSchema, loadConfig} from 'cc-core/config'
import {afterAll, describe, expect, it} from 'vitest'

import {findPrograms, hasKey, invocationsOf, keysOf, settingsOf, unknownOf} from './commands.js'
import {repository} from './repository.js'
import {blocksOf, spansOf} from './markdown.js'

const programs = await findPrograms()
const pages = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && !path.endsWith('CHANGELOG.md') && existsSync(join(repository, path)))
  .map((page) => ({page, text: readFileSync(join(repository, page), 'utf8')}))

const folder = mkdtempSync(join(tmpdir(), 'cc-docs-'))
afterAll(() => {
  rmSync(folder, {recursive: true, force: true})
})

const schema = configJsonSchema() as Parameters<typeof hasKey>[0]
const sections = Object.keys(schema.properties ?? {})

/** Flags that pages name of other programs. */
const foreign: Readonly<Record<string, readonly string[]>> = {
  'cc-attest': ['--verify'],
  snpguest: ['--tcb'],
  veritysetup: ['--no-superblock'],
  pip: ['--without-pip', '--use-feature', '--report', '--extra-index-url', '--find-links'],
  dpkg: ['--force-remove-protected'],
  cargo: ['--remap-path-prefix'],
  cp: ['--dereference'],
  nvflare: ['--force'],
  'steps of the tests': ['--value', '--list'],
}

/** What looks like a key of cc.yaml, and is one of another file: of boot.conf and of manifest.json. */
const otherKeys = ['kbs.timeout', 'kbs.attempts', 'launch.hostData']

/** A YAML block is a cc.yaml unless it begins with a comment that names another file. */
const configurations = (text: string) =>
  blocksOf(text)
    .filter(({language, text: block}) => language === 'yaml' && !/^# (?!cc\.yaml|yaml-)\S+\.ya?ml/.test(block))
    .map((block) => block.text.replaceAll(/[0-9a-f]*…[0-9a-f]*/g, 'f'.repeat(64)))

function problemOf(action: () => unknown): string | null {
  try {
    action()
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** What a cc.yaml of a page is refused for. */
function refusal(block: string): string | null {
  const file = join(folder, 'cc.yaml')
  writeFileSync(file, block)
  return problemOf(() => loadConfig(file))
}

describe('the pages', () => {
  it('have many commands, settings and configurations', () => {
    const all = pages.map(({text}) => text).join('\n')
    expect(invocationsOf(all, programs).length).toBeGreaterThan(100)
    expect(settingsOf(all, programs).length).toBeGreaterThan(10)
    expect(keysOf(all, sections).length).toBeGreaterThan(100)
    expect(configurations(all).length).toBeGreaterThan(5)
  })

  it.each(pages)('$page names only commands and flags that exist', ({text}) => {
    const unknown = invocationsOf(text, programs).flatMap((one) =>
      unknownOf(one, programs).map((word) => `${one.program}: ${word}`),
    )
    expect(unknown).toEqual([])
  })

  it.each(pages)('$page has no flag in its text that no program has', ({text}) => {
    const ours = [...programs.values()].flatMap((commands) => [...commands.values()].flatMap((all) => [...all]))
    const known = new Set([...ours, ...Object.values(foreign).flat()])
    const flags = spansOf(text).flatMap((span) => /^--[a-z][a-z0-9-]*/.exec(span)?.[0] ?? [])
    expect(flags.filter((flag) => !known.has(flag))).toEqual([])
  })

  it.each(pages)('$page names only scripts that package.json has', ({text}) => {
    const {scripts} = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {scripts: object}
    const code = [...spansOf(text), ...blocksOf(text).map((block) => block.text)].join('\n')
    const names = [...code.matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name = '']) => name)
    expect(names.filter((name) => !(name in scripts))).toEqual([])
  })

  it.each(pages)('$page sets and names only keys that cc.yaml has', ({text}) => {
    const problems = settingsOf(text, programs).flatMap((setting) => problemOf(() => loadConfig(null, [setting])) ?? [])
    expect(problems).toEqual([])
    const keys = keysOf(text, sections).filter((key) => !otherKeys.includes(key))
    expect(keys.filter((key) => !hasKey(schema, key.split('.')))).toEqual([])
  })

  it.each(pages)('$page has only configurations that are accepted', ({text}) => {
    expect(configurations(text).flatMap((block) => refusal(block) ?? [])).toEqual([])
  })
})

describe('a page would not pass with', () => {
  const found = (text: string) => invocationsOf(text, programs).flatMap((one) => unknownOf(one, programs))

  it('a flag or a subcommand that does not exist', () => {
    expect(found('```sh\nsudo ./install_cc_image.sh --check --chek\n```')).toEqual(['--chek'])
    expect(found('```console\n$ npx cc-image-test hardened \\\n    --quick --no-such\nout --none\n```')).toEqual([
      '--no-such',
    ])
    expect(found('`cc-image-test host --quick` and `cc-image-test all`')).toEqual(['--quick', 'all'])
    expect(found('`A=b nvflare-cc-builder --siz 2G | cat; cc-resize --sice 3G # --x`')).toEqual(['--siz', '--sice'])
    expect(found('`bash …/20-locale.sh --tree /t --no-locale`')).toEqual(['--no-locale'])
  })

  it('a key or a value that does not exist', () => {
    const [setting = ''] = settingsOf("`cc-image-installer --set 'layout.sice=20G'`", programs)
    expect(problemOf(() => loadConfig(null, [setting]))).toContain('layout.sice')
    expect(keysOf('`hardening.logz: none`, `layout.partitions.cc-x.size`, `boot.conf`', sections)).toEqual([
      'hardening.logz',
      'layout.partitions.cc-x.size',
    ])
    expect(hasKey(schema, ['hardening', 'logz'])).toBe(false)
    expect(hasKey(schema, ['layout', 'partitions', 'cc-x', 'size'])).toBe(true)
    expect(configurations('```yaml\n# cc.yaml\nos: {}\n```\n```yaml\n# cc_site.yml\nsite: x\n```')).toHaveLength(1)
    expect(refusal('hardening: {logs: disc}\n')).toContain('hardening.logs')
  })
})
