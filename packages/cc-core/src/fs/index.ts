import {randomBytes} from 'node:crypto'
import {open, readdir, rename, unlink} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

import shell, {type ShellString} from 'shelljs'

import {CcError} from '../errors/index.js'

export {lock} from './lock.js'

// A failure of shelljs is a return code that nobody looks at, and a line on stderr. Both are ours to handle.
shell.config.silent = true
// A path is a path, never a pattern.
shell.set('-f')

/** Creates a directory and its parents; one that exists is fine. */
export function mkdirp(directory: string): void {
  check(shell.mkdir('-p', directory))
}

/** Creates a directory that only its owner may enter: for what is secret before it is encrypted. */
export function mkdirPrivate(directory: string): void {
  mkdirp(directory)
  check(shell.chmod('700', directory))
}

/** Copies a file or a directory with all in it; symlinks stay symlinks. The target must not exist or be a directory. */
export function copy(source: string, target: string): void {
  check(shell.cp('-R', source, target))
}

/** Moves a file or directory, replacing a file of that name. */
export function move(source: string, target: string): void {
  check(shell.mv('-f', source, target))
}

/** Removes files and directories with all in them; what does not exist is fine. */
export function remove(...paths: string[]): void {
  check(shell.rm('-rf', paths))
}

/**
 * Writes a file so that at any moment, also after a power cut, either the old or the new content is there.
 * @param mode the permissions of the new file; 0o644 by default
 */
export async function atomicWrite(file: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.chmod(mode) // Not by open(): the umask would take bits away.
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
    await syncPath(dirname(file))
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

/** Waits until a file, or the names in a folder, are on the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Waits until a folder and all in it is on the disk: a rename may reach it before the content does. */
export async function syncFolder(folder: string): Promise<void> {
  for (const entry of await readdir(folder, {withFileTypes: true})) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await syncFolder(path)
    else if (entry.isFile()) await syncPath(path)
  }
  await syncPath(folder)
}

function check(result: ShellString): void {
  if (result.code === 0) return
  const message = result.stderr.trim().replaceAll('\n', '; ')
  if (/no space left|ENOSPC|EDQUOT/i.test(message)) throw new CcError('E_SPACE', message)
  throw new Error(message)
}
