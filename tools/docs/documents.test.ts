import {execFileSync} from 'node:child_process'
import {existsSync, readFileSync} from 'node:fs'
import {dirname, join, normalize} from 'node:path'

import {describe, expect, it} from 'vitest'

import {findSteps, generateDocuments} from './documents.js'
import {anchorsOf, linksOf, raggedRows} from './markdown.js'
import {repository} from './repository.js'

const documents = await generateDocuments()
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(repository, path)))

describe('the generated documents', () => {
  it.each(documents)('$path is what npm run docs writes', ({path, text}) => {
    expect(readFileSync(join(repository, path), 'utf8')).toBe(text)
    expect(text).toContain('npm run docs')
  })

  it('steps.md names every script that sources the step library', async () => {
    const steps = tracked.filter(
      (path) =>
        /^scripts\/[a-z]+\/[^/]+\.sh$/.test(path) &&
        /^\. .*\/step\.sh"$/m.test(readFileSync(join(repository, path), 'utf8')),
    )
    const ids = (await findSteps()).map(({group, contract}) => `scripts/${group}/${contract.name}.sh`)
    expect(steps.length).toBeGreaterThan(20)
    expect(ids.sort()).toEqual(steps.sort())
    const text = documents.find(({path}) => path === 'docs/steps.md')?.text ?? ''
    for (const id of ids) expect(text).toContain(`\`${id.slice('scripts/'.length, -'.sh'.length)}\``)
  })
})

const pages = tracked.filter((path) => path.endsWith('.md') && !path.endsWith('CHANGELOG.md'))
const textOf = (page: string) => readFileSync(join(repository, page), 'utf8')

/** The page or folder, and the anchor in it, that a link leads to. */
function targetOf(page: string, link: string): [path: string, anchor: string] {
  const [path = '', anchor = ''] = link.split('#')
  return [path === '' ? page : normalize(join(dirname(page), path)), anchor]
}

/** Why a link of a page leads nowhere; null where it leads somewhere. */
function brokenLink(page: string, link: string): string | null {
  const [path, anchor] = targetOf(page, link)
  if (!existsSync(join(repository, path))) return `${link}: no such file`
  if (!tracked.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`)))
    return `${link}: not part of the repository`
  if (anchor === '' || anchorsOf(textOf(path)).includes(anchor)) return null
  return `${link}: no such heading`
}

describe('the pages', () => {
  it.each(pages)('%s links only to files and headings that exist', (page) => {
    const broken = linksOf(textOf(page)).flatMap((link) => brokenLink(page, link) ?? [])
    expect(broken).toEqual([])
  })

  it.each(pages)('%s has tables whose rows all have the same number of cells', (page) => {
    expect(raggedRows(textOf(page))).toEqual([])
  })

  it('are all reached from docs/README.md, and that one from README.md', () => {
    const reached = new Set<string>(['docs/README.md'])
    for (const page of reached)
      for (const link of linksOf(textOf(page))) {
        const [path] = targetOf(page, link)
        if (path.endsWith('.md') && pages.includes(path)) reached.add(path)
      }
    expect(pages.filter((page) => page.startsWith('docs/') && !reached.has(page))).toEqual([])
    expect(linksOf(textOf('README.md'))).toContain('docs/README.md')
  })

  it('would not pass with a link to a missing file, a missing heading, or an ignored file', () => {
    const links = ['usage/none.md', 'boot.md#none', '#none', '../node_modules', 'boot.md#key-sources', 'usage']
    expect(links.map((link) => brokenLink('docs/architecture.md', link))).toEqual([
      'usage/none.md: no such file',
      'boot.md#none: no such heading',
      '#none: no such heading',
      '../node_modules: not part of the repository',
      null,
      null,
    ])
  })
})
