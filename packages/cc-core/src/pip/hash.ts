import {createHash} from 'node:crypto'
import {readdir, readlink, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {sha256File} from '../manifest/index.js'

/**
 * The identity of a file, or of a folder with all in it, for the content hash of a build. Files may be of any size.
 * @param leaveOut folders that are not looked at
 */
export async function identityOf(path: string, leaveOut: readonly string[] = []): Promise<string> {
  if (!(await stat(path)).isDirectory()) return `${path}\0${await sha256File(path)}`
  const hash = createHash('sha256')
  for (const line of await lines(path, '', leaveOut)) hash.update(`${line}\n`)
  return `${path}\0${hash.digest('hex')}`
}

async function lines(folder: string, name: string, leaveOut: readonly string[]): Promise<string[]> {
  const found: string[] = []
  // Names as Latin-1, one character for each byte: a name that is not UTF-8 would be that of no file otherwise.
  const entries = await readdir(bytesOf(folder, name), {withFileTypes: true, encoding: 'latin1'})
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = join(name, entry.name)
    const path = bytesOf(folder, inner)
    // Python writes it, whatever is done with the sources.
    if (entry.name === '__pycache__' || leaveOut.includes(path.toString())) continue
    if (entry.isDirectory()) found.push(...(await lines(folder, inner, leaveOut)))
    else if (entry.isSymbolicLink())
      found.push(`${JSON.stringify(inner)} -> ${JSON.stringify(await readlink(path, 'latin1'))}`)
    else if (entry.isFile()) found.push(`${JSON.stringify(inner)} ${await sha256File(path)}`)
  }
  return found
}

const bytesOf = (folder: string, name: string) =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, 'latin1')])
