import {readdirSync} from 'node:fs'
import {fileURLToPath} from 'node:url'

import {ESLint, Linter} from 'eslint'
import {describe, expect, it} from 'vitest'

const repository = fileURLToPath(new URL('..', import.meta.url))
const folders = readdirSync(`${repository}/packages/cc-core/src`, {withFileTypes: true})
  .filter((entry) => entry.isDirectory())
  .map(({name}) => name)

/** What the linter says of an import in a file of cc-core. */
async function complaint(folder: string, from: string): Promise<string | undefined> {
  const file = `${repository}/packages/cc-core/src/${folder}/index.ts`
  const config = (await new ESLint({cwd: repository}).calculateConfigForFile(file)) as Linter.Config
  const rules = {'no-restricted-imports': config.rules?.['no-restricted-imports'] ?? 'off'}
  return new Linter().verify(`import '${from}'`, [{rules}])[0]?.message
}

describe('the layers of cc-core', () => {
  it.each(folders)('has a place for %s, which imports nothing from past an index', async (folder) => {
    expect(await complaint(folder, '../errors/cc-error.js')).toContain(`${folder} imports the index of a lower folder`)
    expect(await complaint(folder, './own.js')).toBeUndefined()
  })

  it.each([
    ['seal', '../build/index.js'],
    ['resize', '../build/index.js'],
    ['config', '../boot/index.js'],
    ['errors', '../fs/index.js'],
    ['exec', '../command/index.js'],
    ['seal', '../seals/index.js'],
  ])('do not let %s import %s', async (folder, from) => {
    expect(await complaint(folder, from)).toContain('lower folder only')
  })

  it.each([
    ['build', '../seal/index.js'],
    ['config', '../cmdline/index.js'],
    ['fs', 'shelljs'],
  ])('let %s import %s', async (folder, from) => {
    expect(await complaint(folder, from)).toBeUndefined()
  })
})
