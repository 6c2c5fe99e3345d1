import {existsSync} from 'node:fs'
import {rename} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

import {mkdirp, remove, syncFolder, syncPath} from '../fs/index.js'

/** Where a folder is made, and where it is to be; absolute. */
export interface OutputPaths {
  path: string
  partial: string
}

/** @param path absolute path of the folder to be */
export function outputPaths(path: string): OutputPaths {
  return {path, partial: hidden(path, 'partial')}
}

const hidden = (path: string, suffix: string) => join(dirname(path), `.${basename(path)}.${suffix}`)

/**
 * A folder that appears whole or not at all, also after a power cut. Work in `partial`; `publish` puts it where it
 * belongs, and the one that was there before goes only then. A crash between the two renames is mended by the next
 * `openOutput`. A folder that is never published may hold keys: removing `partial` is the caller's.
 */
export interface Output extends OutputPaths {
  publish(): Promise<void>
}

/** @param path absolute path of the folder to be */
export async function openOutput(path: string): Promise<Output> {
  const {partial} = outputPaths(path)
  const old = hidden(path, 'old')
  if (existsSync(old)) {
    if (existsSync(path)) remove(old)
    else await rename(old, path)
  }
  remove(partial)
  mkdirp(partial)
  return {
    path,
    partial,
    async publish() {
      await syncFolder(partial)
      if (existsSync(path)) await rename(path, old)
      await rename(partial, path)
      await syncPath(dirname(path))
      remove(old)
    },
  }
}
