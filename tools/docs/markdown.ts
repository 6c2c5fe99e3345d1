/** A page of documentation, taken apart as far as the tests need it. */

/** The text of a page without fenced blocks; their lines stay as empty ones, so that line numbers hold. */
export function withoutBlocks(text: string): string {
  let fence = ''
  return text
    .split('\n')
    .map((line) => {
      const mark = /^\s*(```+|~~~+)/.exec(line)?.[1]
      if (fence === '') {
        fence = mark ?? ''
        return mark === undefined ? line : ''
      }
      if (mark?.startsWith(fence) === true) fence = ''
      return ''
    })
    .join('\n')
}

/** A fenced block. */
export interface Block {
  language: string
  text: string
}

export function blocksOf(text: string): Block[] {
  const found = text.matchAll(/^([ \t]*)(```+)(\w*)[^\n]*\n([\s\S]*?)^\1\2[ \t]*$/gm)
  return [...found].map(([, indent = '', , language = '', content = '']) => ({
    language,
    text: content.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** Every piece of code within a line. */
export const spansOf = (text: string): string[] =>
  [...withoutBlocks(text).matchAll(/(?<!`)(`+)(?!`)([^]+?)(?<!`)\1(?!`)/g)].map(([, , span = '']) =>
    span.replaceAll(/\s+/g, ' ').trim(),
  )

const withoutSpans = (text: string) => withoutBlocks(text).replaceAll(/(?<!`)(`+)(?!`)[^]+?(?<!`)\1(?!`)/g, '')

/** Targets of links and pictures, of Markdown and of HTML, that are not on another server. */
export function linksOf(text: string): string[] {
  const prose = withoutSpans(text)
  const found = [
    ...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g),
    ...prose.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/gm),
    ...prose.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g),
  ]
  return found.map(([, target = '']) => target).filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
}

/** The anchors of the headings, as GitHub makes them. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>()
  return [...withoutBlocks(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, heading = '']) => {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
}

/** Rows of tables that have another number of cells than the first row of their table. */
export function raggedRows(text: string): string[] {
  const cells = (row: string) => (row.trimEnd().match(/(?<!\\)\|/g) ?? []).length
  const tables = withoutBlocks(text).matchAll(/(?:^\|.*\n?)+/gm)
  return [...tables].flatMap(([table]) => {
    const [head = '', ...rows] = table.trimEnd().split('\n')
    return rows.filter((row) => cells(row) !== cells(head))
  })
}
