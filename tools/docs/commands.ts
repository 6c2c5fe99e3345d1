import {existsSync, readFileSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {Config} from '@oclif/core'

import {findSteps} from './documents.js'
import {blocksOf, spansOf} from './markdown.js'
import {repository} from './repository.js'

/** A command of this repository, as a page has it: without sudo, npx and the folder of the program. */
export interface Invocation {
  program: string
  words: string[]
}

/** What a program of this repository takes: its flags, by its command where it has several. */
export type Programs = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

const json = (path: string) => JSON.parse(readFileSync(join(repository, path), 'utf8')) as Record<string, object>

/** The flags that the comment at the head of a script lists. */
function flagsOfHead(script: string): Set<string> {
  const head = /^(?:#.*\n)+/.exec(readFileSync(join(repository, script), 'utf8'))?.[0] ?? ''
  return new Set([...head.matchAll(/(?<=^# +(?:[^\n]*, )?\[?)--[a-z][a-z0-9-]*/gm)].map(([flag]) => flag))
}

/** Scripts of an image directory, by the names that they have there. */
const hostScripts = {
  'install_cc_image.sh': 'install_cc_image.sh',
  'launch_cc_image.sh': 'launch_cc_image.sh',
  'upload.sh': 'upload_to_trustee.sh',
  'revoke.sh': 'revoke_from_trustee.sh',
}

/** Every program that a page may name, with every flag that it has. */
export async function findPrograms(): Promise<Programs> {
  const programs = new Map<string, Map<string, Set<string>>>()
  for (const folder of readdirSync(join(repository, 'packages'))) {
    // aliases holds packages, and is none.
    if (!existsSync(join(repository, 'packages', folder, 'package.json'))) continue
    const {bin} = json(`packages/${folder}/package.json`)
    if (bin === undefined) continue
    const {commands} = await Config.load({root: join(repository, 'packages', folder)})
    const flags = new Map(
      commands.map((command) => [
        command.id,
        new Set([...Object.keys(command.flags).map((name) => `--${name}`), '--help']),
      ]),
    )
    for (const name of Object.keys(bin)) programs.set(name, flags)
  }
  for (const [name, script] of Object.entries(hostScripts))
    programs.set(name, new Map([['', flagsOfHead(`scripts/host/${script}`).add('--help')]]))
  const standIn = 'tools/standin-iso/make-standin-iso.sh'
  programs.set('make-standin-iso.sh', new Map([['', flagsOfHead(standIn).add('--help')]]))
  for (const {contract} of await findSteps()) {
    const flags = new Set([...contract.parameters.map(({name}) => `--${name}`), '--help'])
    programs.set(`${contract.name}.sh`, new Map([['', flags]]))
  }
  return programs
}

/** A line of a shell, up to a pipe, a comment or the next command, as words; quotes are taken away. */
function split(line: string): string[][] {
  const commands: string[][] = [[]]
  for (const [token] of line.matchAll(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\;|&]|(?<=\S)&(?=\S))+|[;|&]+/g)) {
    if (/^[;|&]+$/.test(token)) commands.push([])
    else if (token.startsWith('#')) break
    else commands.at(-1)?.push(token.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
  }
  return commands
}

/** The commands of this repository in the blocks and in the code within the lines of a page. */
export function invocationsOf(text: string, programs: Programs): Invocation[] {
  const shells = ['', 'sh', 'bash', 'console']
  const blocks = blocksOf(text).filter(({language}) => shells.includes(language))
  const lines = blocks.flatMap((block) => {
    const all = block.text.replaceAll(/\\\n\s*/g, ' ').split('\n')
    return block.language === 'console' ? all.filter((line) => /^[$#] /.test(line)) : all
  })
  return [...lines.map((line) => line.replace(/^[$#] /, '')), ...spansOf(text)].flatMap(split).flatMap((words) => {
    while (['sudo', 'npx', 'bash'].includes(words[0] ?? '') || /^[A-Z_]+=/.test(words[0] ?? '')) words.shift()
    const program = words[0]?.replace(/^.*\//, '') ?? ''
    return programs.has(program) ? [{program, words: words.slice(1)}] : []
  })
}

const flagsOf = (words: readonly string[]): string[] =>
  words.flatMap((word) => /^\[*(--[a-z][a-z0-9-]*)/.exec(word)?.[1] ?? [])

/** What of a command does not exist: its subcommand, or flags of it. */
export function unknownOf({program, words}: Invocation, programs: Programs): string[] {
  const commands = programs.get(program) ?? new Map<string, Set<string>>()
  const [first = ''] = words
  if (commands.size === 1) {
    const [flags = new Set<string>()] = commands.values()
    return flagsOf(words).filter((flag) => !flags.has(flag))
  }
  // A command with several topics: its name alone may stand for all of them.
  if (words.length === 0 || first.startsWith('--')) return flagsOf(words).filter((flag) => flag !== '--help')
  const chosen = first.split('|').map((name) => commands.get(name))
  if (chosen.includes(undefined)) return [first]
  return flagsOf(words).filter((flag) => !chosen.some((flags) => flags?.has(flag) === true))
}

/** The settings of a page, as `--set` has them, with a command or without; placeholders are left out. */
export function settingsOf(text: string, programs: Programs): string[] {
  const alone = spansOf(text).flatMap((span) => (span.startsWith('--') ? split(span) : []))
  return [...invocationsOf(text, programs).map(({words}) => words), ...alone]
    .flatMap((words) => words.flatMap((word, index) => (word === '--set' ? [words[index + 1] ?? ''] : [])))
    .filter((setting) => setting !== '' && !/[A-Z]{3}|…/.test(setting))
}

/** A part of a JSON schema. */
interface Schema {
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
}

/** The keys of cc.yaml that a schema has at a path. */
export function hasKey(schema: Schema, path: readonly string[]): boolean {
  const [key, ...rest] = path
  if (key === undefined) return true
  const {properties = {}, additionalProperties, items, anyOf = []} = schema
  const next = key in properties ? properties[key] : additionalProperties
  return (
    (typeof next === 'object' && hasKey(next, rest)) ||
    (items !== undefined && hasKey(items, path)) ||
    anyOf.some((one) => hasKey(one, path))
  )
}

/** Keys of cc.yaml in the code within the lines of a page, such as `layout.size` and `os.keep: [getty]`. */
export function keysOf(text: string, sections: readonly string[]): string[] {
  const file = /\.(?:md|sh|ts|py|ko|log|bats|conf|yml|yaml|json|service|txt|test|img|qcow2)\b/
  return spansOf(text).flatMap((span) => {
    const key = /^([A-Za-z]+(?:\.[\w<>{}-]+)+)(?=$|[\s:=[])/.exec(span)?.[1] ?? ''
    const [section = ''] = key.split('.')
    return sections.includes(section) && !file.test(key) ? [key] : []
  })
}
