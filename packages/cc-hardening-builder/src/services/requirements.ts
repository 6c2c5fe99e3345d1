import {existsSync, statSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'

import {CcError} from 'cc-core/errors'
import {sha256File} from 'cc-core/manifest'
import {hashFolder} from 'cc-core/steps'

/** Files of this host that pip reads besides the index, and what they hold. */
export interface Requirements {
  /** The requirements file; absolute. */
  file: string
  /** Everything that it names on this host, itself not included; absolute. */
  share: string[]
  /** The sha256 of all of them, for the content hash of the build. */
  inputs: string[]
}

/**
 * Where the requirements of the application are.
 * @param given a file, or the folder of a requirements.txt; null: the folder `cwd`
 * @throws E_CONFIG that names every place where there is none
 */
export function findRequirements(given: string | null, cwd: string): string {
  const place = resolve(cwd, given ?? '.')
  const file = existsSync(place) && statSync(place).isDirectory() ? join(place, 'requirements.txt') : place
  if (existsSync(file) && statSync(file).isFile()) return file
  throw new CcError('E_CONFIG', `there is no requirements.txt: looked for '${file}'`, {
    suggestions: ['name the file, or its folder: --requirements FILE', 'run the command where requirements.txt is'],
  })
}

/**
 * What a requirements file names on this host, as pip resolves it (pip.pypa.io, "Requirements File Format"): further
 * files of requirements and constraints, wheels and source folders, and folders with wheels.
 * @throws E_PACKAGE for a path that is not there, with the file and the line
 */
export async function readRequirements(file: string): Promise<Requirements> {
  const found = new Set<string>()
  await collect(file, dirname(file), found)
  found.delete(file)
  const share = [...found].filter((path) => ![...found].some((other) => path.startsWith(`${other}/`))).sort()
  const inputs = await Promise.all([file, ...found].sort().map(identityOf))
  return {file, share, inputs}
}

const identityOf = async (path: string) =>
  `${path}\0${statSync(path).isDirectory() ? await hashFolder(path) : await sha256File(path)}`

async function collect(file: string, cwd: string, found: Set<string>): Promise<void> {
  for (const {text, line} of logicalLines(await readFile(file, 'utf8'))) {
    const named = localPath(text, dirname(file), cwd)
    if (named === null) continue
    if (!existsSync(named.path)) {
      throw new CcError('E_PACKAGE', `${file}, line ${line}: there is no '${named.path}'`, {
        suggestions: ['check the path; what is relative is relative to the folder of the requirements file'],
      })
    }
    if (found.has(named.path)) continue
    found.add(named.path)
    if (named.nested) await collect(named.path, cwd, found)
  }
}

/** Lines without comments, and with their continuations. */
function logicalLines(text: string): {text: string; line: number}[] {
  const lines: {text: string; line: number}[] = []
  let open = false
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const continued = raw.endsWith('\\')
    const part = (continued ? raw.slice(0, -1) : raw).replace(/(^|\s)#.*$/, '')
    const last = lines.at(-1)
    if (open && last !== undefined) last.text += part
    else lines.push({text: part, line: index + 1})
    open = continued
  }
  return lines.map(({text: whole, line}) => ({text: whole.trim(), line})).filter(({text: whole}) => whole !== '')
}

/** The path that one line names, or null. nested: it is a file of further lines. */
function localPath(text: string, folder: string, cwd: string): {path: string; nested: boolean} | null {
  const option = /^(-r|-c|-f|-e|--requirement|--constraint|--find-links|--editable)(?:\s*=?\s*)(.+)$/.exec(text)
  if (option !== null) {
    const [, name = '', value = ''] = option
    const path = plainPath(value.trim(), name === '-e' || name === '--editable' ? cwd : folder)
    return path === null ? null : {path, nested: /^(-r|-c|--req|--con)/.test(name)}
  }
  if (text.startsWith('-')) return null
  // A requirement ends at its options and its marker: `./a.whl --hash=… ; python_version > "3"`.
  const requirement = text.replace(/\s--[a-z].*$/, '').replace(/\s*;.*$/, '')
  const direct = /^[\w.-]+(?:\[[^\]]*\])?\s*@\s*(.+)$/.exec(requirement)?.[1] ?? requirement
  const isPath = /^(file:|\.{0,2}\/|\.{1,2}$)/.test(direct) || /\.(whl|tar\.gz|tgz|zip|tar\.bz2)$/.test(direct)
  if (!isPath && !(direct.includes('/') && existsSync(resolve(cwd, direct)))) return null
  const path = plainPath(direct.replace(/\[[^\]]*\]$/, ''), cwd)
  return path === null ? null : {path, nested: false}
}

/** A path or a file: URL as an absolute path; null for another URL. */
function plainPath(text: string, base: string): string | null {
  if (/^file:/i.test(text)) return fileURLToPath(text.replace(/[#?].*$/, '').replace(/^file:(?!\/\/)/i, 'file://'))
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return null
  return resolve(base, text)
}
