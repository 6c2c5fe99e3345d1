import {readFileSync, readdirSync, statSync} from 'node:fs'
import {join} from 'node:path'

/** What a guest offers to whoever sits at a console: a login, or a question for a password. */
const prompts = /\blogin:\s*$|^Password:/m

/** The consoles besides the first, in the folder of a machine, on which somebody could log in. */
export function promptsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^(hvc|ttyS|agent)/.test(name) && statSync(join(folder, name)).isFile())
    .filter((name) => prompts.test(readFileSync(join(folder, name), 'latin1')))
    .map((name) => `${name} offers a login`)
}

/** The same of lines of the first one. */
export const promptLines = (lines: readonly string[]): string[] =>
  lines.filter((line) => prompts.test(line)).map((line) => `'${line.trim().slice(0, 100)}'`)
