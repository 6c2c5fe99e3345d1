import {createHash} from 'node:crypto'
import {fileURLToPath} from 'node:url'

import {writerVersions} from '../host/index.js'
import {hashFiles, hashFolder, scriptsDirectory} from '../steps/index.js'

/** The code of this package as it runs: compiled, or its source in tests. */
const ownCode = fileURLToPath(new URL('..', import.meta.url))

const isCode = (name: string) => /\.[jt]s$/.test(name) && !/\.(d|test)\.ts$/.test(name)

let identity: Promise<string> | undefined

/**
 * The identity of whatever turns a tree into an image: our own code, all steps with what they put into images, and the
 * programs of the host that write file systems, headers, tables and archives. With a fix in any of them no image is up
 * to date any more. Takes a third of a second, once for each process.
 */
export function sealIdentity(): Promise<string> {
  identity ??= readIdentity()
  return identity
}

async function readIdentity(): Promise<string> {
  const parts = [await hashFiles(ownCode, isCode), await hashFolder(scriptsDirectory()), await writerVersions()]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
