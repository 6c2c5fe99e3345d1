import {execFileSync} from 'node:child_process'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {findSteps, generateDocuments, repository} from './documents.js'

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

describe('links in the documents', () => {
  const pages = tracked.filter((path) => path.endsWith('.md') && !path.endsWith('CHANGELOG.md'))

  it.each(pages)('%s links only to what is there', (page) => {
    const text = readFileSync(join(repository, page), 'utf8')
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target)
    const broken = targets.filter((target) => !existsSync(join(repository, page, '..', target)))
    expect(broken).toEqual([])
  })
})
