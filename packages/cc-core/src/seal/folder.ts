import {existsSync} from 'node:fs'
import {rename} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'

import {mkdirp, remove} from '../fs/index.js'

/**
 * A folder that appears whole or not at all. Work in `partial`; `publish` puts it where it belongs, and the one that
 * was there before goes only then. A crash between the two renames is mended by the next `openOutput`.
 */
export interface Output {
  path: string
  partial: string
  publish(): Promise<void>
}

/** @param path absolute path of the folder to be */
export async function openOutput(path: string): Promise<Output> {
  const hidden = (suffix: string) => join(dirname(path), `.${basename(path)}.${suffix}`)
  const partial = hidden('partial')
  const old = hidden('old')
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
      if (existsSync(path)) await rename(path, old)
      await rename(partial, path)
      remove(old)
    },
  }
}
