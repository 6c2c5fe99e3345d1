/**
 * The argv as one line that can be pasted into a shell and means the same there.
 * @param env variables to set for just this command
 */
export function formatCommand(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  const words = argv.map((word, index) => (index === 0 && word.includes('=') ? `'${word}'` : quote(word)))
  return [...settings, ...words].join(' ')
}

function quote(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  // Control characters would break the line, or the terminal it is shown on.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(word)) return `$'${word.replaceAll(/[\\'\u0000-\u001f\u007f]/g, escape)}'`
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}

function escape(character: string): string {
  if (character === '\\' || character === "'") return `\\${character}`
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
