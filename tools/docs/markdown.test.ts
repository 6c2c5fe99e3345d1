import {describe, expect, it} from 'vitest'

import {anchorsOf, blocksOf, linksOf, raggedRows, spansOf} from './markdown.js'

describe('a page', () => {
  it('has links and pictures, but not in code and not on other servers', () => {
    const text = [
      'See [a](a.md#x), [b](<b.md> "title"), ![c](c.svg), [d]: not here, [e](https://example.org), [f](#f).',
      '<picture><source srcset="dark.svg"><img src="light.svg" alt=""></picture>',
      '`[g](g.md)`',
      '```md\n[h](h.md)\n```',
      '[i]: i.md',
    ].join('\n\n')
    expect(linksOf(text)).toEqual(['a.md#x', 'b.md', 'c.svg', '#f', 'i.md', 'dark.svg', 'light.svg'])
  })

  it('has the anchors that GitHub makes', () => {
    const text = '# cc-resize: grow an image\n## `boot.conf`, twice\n## boot.conf twice\n```sh\n# no heading\n```\n'
    expect(anchorsOf(text)).toEqual(['cc-resize-grow-an-image', 'bootconf-twice', 'bootconf-twice-1'])
  })

  it('has blocks, also within lists, and code within lines', () => {
    expect(blocksOf('- a\n\n  ```sh\n  one\n    two\n  ```\n\n```\nthree\n```\n')).toEqual([
      {language: 'sh', text: 'one\n  two\n'},
      {language: '', text: 'three\n'},
    ])
    expect(spansOf('`a  b` and ``c ` d`` and `e\nf`\n```\n`g`\n```\n')).toEqual(['a b', 'c ` d', 'e f'])
  })

  it('has tables whose rows have the cells of their head', () => {
    expect(raggedRows('| a | b |\n|---|---|\n| `c \\| d` | e |\n\n| f |\n|---|\n')).toEqual([])
    expect(raggedRows('| a | b |\n|---|---|\n| `c | d` | e |\n| f |')).toEqual(['| `c | d` | e |', '| f |'])
  })
})
