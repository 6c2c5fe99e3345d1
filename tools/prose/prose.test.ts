import {execFileSync, spawnSync} from 'node:child_process'
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join, relative, resolve} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

const repository = resolve(import.meta.dirname, '../..')
const textlint = join(repository, 'node_modules/.bin/textlint')

/** Run textlint in the repository; where it prints no JSON, there are no results. */
function lint(...words: string[]): {status: number | null; results: {filePath: string; messages: object[]}[]} {
  const {status, stdout} = spawnSync(textlint, [...words, '--format', 'json'], {cwd: repository, encoding: 'utf8'})
  const json = stdout.startsWith('[') ? stdout : '[]'
  return {status, results: JSON.parse(json) as {filePath: string; messages: object[]}[]}
}

/** The words of `npm run lint:prose`, as its shell splits them. */
const {scripts} = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}
const [program, ...words] = (scripts['lint:prose'] ?? '').split(' ').map((word) => word.replaceAll("'", ''))
const patterns = words.indexOf('tools/prose/ignore') + 1
const options = words.slice(0, patterns)

const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(repository, path)))
const ignored = readFileSync(join(repository, 'tools/prose/ignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-prose-'))
})
afterAll(() => {
  rmSync(folder, {recursive: true, force: true})
})

function page(text: string): string {
  const file = join(folder, 'page.md')
  writeFileSync(file, text)
  return file
}

describe('npm run lint:prose', {timeout: 120_000}, () => {
  it('is part of npm run lint', () => {
    expect(program).toBe('textlint')
    expect(patterns).toBeGreaterThan(0)
    expect(scripts['lint']).toContain('npm run lint:prose')
  })

  it('reads every page that is written by hand, and finds nothing', () => {
    const {status, results} = lint(...words)
    const written = tracked.filter((path) => !ignored.includes(path) && !path.endsWith('CHANGELOG.md'))
    expect(written.length).toBeGreaterThan(30)
    expect(results.map(({filePath}) => relative(repository, filePath)).sort()).toEqual(written.sort())
    expect(results.filter(({messages}) => messages.length > 0)).toEqual([])
    expect(status).toBe(0)
  })

  it('leaves out only documents that are generated', () => {
    const generated = ignored.filter((path) => path.endsWith('.md') && !path.includes('*'))
    expect(generated.length).toBeGreaterThan(0)
    for (const path of generated) expect(readFileSync(join(repository, path), 'utf8')).toContain('`npm run docs`')
  })
})

describe('the prose linter fails', {timeout: 120_000}, () => {
  it('on a phrase in a heading, a paragraph, a list, a quotation, a link, a table, and across lines', () => {
    const bad = 'it comes\n  up'
    const places = [
      '# it comes up',
      bad,
      `- ${bad}`,
      '> it comes up',
      `**${bad}**`,
      `[${bad}](x)`,
      '| it comes up |\n|---|',
    ]
    const {status, results} = lint(...options, page(`${places.join('\n\n')}\n`))
    expect(status).toBe(1)
    expect(results[0]?.messages).toHaveLength(places.length)
  })

  it('but not on a phrase in code', () => {
    expect(lint(...options, page('`it comes up`\n\n```\nit comes up\n```\n')).status).toBe(0)
  })

  it('without its configuration or its words', () => {
    const file = page('it boots\n')
    const config = join(folder, 'textlint.json')
    expect(lint('--config', join(folder, 'missing.json'), file).status).not.toBe(0)
    writeFileSync(config, '{"rules": {}}')
    expect(lint('--config', config, file).status).not.toBe(0)
    writeFileSync(config, '{"rules": {"prh": {"rulePaths": ["./missing.yml"]}}}')
    expect(lint('--config', config, file).status).not.toBe(0)
  })

  it('if no file matches', () => {
    expect(lint(...options, join(folder, 'none/*.md')).status).not.toBe(0)
  })
})
