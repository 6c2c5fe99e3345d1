import {execFileSync} from 'node:child_process'

import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {formatCommand} from './index.js'

describe('formatCommand', () => {
  it('leaves plain words alone', () => {
    expect(formatCommand(['bash', '/a/b.sh', '--size', '10G', '--tree=x'])).toBe('bash /a/b.sh --size 10G --tree=x')
  })

  it('quotes what a shell would change', () => {
    expect(formatCommand(['echo', "it's", '', '$HOME', 'a b'], {A: '1 2'})).toBe(
      `A='1 2' echo 'it'\\''s' '' '$HOME' 'a b'`,
    )
  })

  it('is one line that bash reads back as the same words', () => {
    const word = fc.string({unit: 'binary', maxLength: 20}).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(word, fc.constantFrom('\n', "'", '\\', '~', '*', '\u0001', '=', '#')), {maxLength: 6}),
        (words) => {
          const line = formatCommand(['printf', String.raw`%s\0`, ...words])
          expect(line).not.toContain('\n')
          const output = execFileSync('bash', ['-c', line], {encoding: 'utf8', env: {LC_ALL: 'C.UTF-8', SHLVL: '1'}})
          expect(output).toBe(words.length === 0 ? '\0' : words.map((text) => `${text}\0`).join(''))
        },
      ),
      {numRuns: 60},
    )
  })
})
