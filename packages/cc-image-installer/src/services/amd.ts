import {readdir, readFile, stat} from 'node:fs/promises'
import {extname, join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {run} from 'cc-core/exec'
import {sha256File, type Manifest} from 'cc-core/manifest'

/** One file of the directory amd.patches, as the manifest records it. */
export type AmdEntry = NonNullable<Manifest['amd']>[number]

const kinds: Readonly<Record<string, AmdEntry['kind']>> = {'.deb': 'package', '.patch': 'patch', '.sh': 'hook'}

/**
 * Look at the directory of patches before anything is written.
 * @param directory absolute path
 * @returns its entries in lexical order of their bytes, as they are applied
 * @throws E_CONFIG for a directory or a file that cannot be read, an unknown suffix, a patch without its target
 */
export async function readPatches(directory: string): Promise<AmdEntry[]> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (error) {
    throw new CcError('E_CONFIG', `amd.patches: cannot read the directory '${directory}': ${reasonOf(error)}`, {
      suggestions: ['name a directory of .deb, .patch and .sh files, or null'],
      reason: error,
    })
  }
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const entries: AmdEntry[] = []
  for (const name of names) entries.push(await describe(directory, name))
  return entries
}

async function describe(directory: string, name: string): Promise<AmdEntry> {
  const file = join(directory, name)
  const kind = kinds[extname(name)]
  if (kind === undefined) {
    throw new CcError('E_CONFIG', `amd.patches: '${name}' in '${directory}' is neither .deb nor .patch nor .sh`, {
      suggestions: ['take it out of the directory, or give it one of these suffixes'],
    })
  }
  try {
    if (!(await stat(file)).isFile()) throw new Error('it is no file')
    const sha256 = await sha256File(file)
    return {name, sha256, kind, target: await targetOf(kind, file)}
  } catch (error) {
    if (CcError.is(error) && error.code === 'E_CONFIG') throw error
    throw new CcError('E_CONFIG', `amd.patches: cannot read '${file}': ${reasonOf(error)}`, {reason: error})
  }
}

/** What an entry changes: a package with its version, a source tree; null for a hook, which may change anything. */
async function targetOf(kind: AmdEntry['kind'], file: string): Promise<string | null> {
  if (kind === 'hook') return null
  if (kind === 'package') {
    const {stdout} = await run(['dpkg-deb', '--show', '--showformat', '${Package} ${Version}', file])
    return stdout.trim()
  }
  const head = (await readFile(file, 'latin1')).split(/^@@ /m, 1)[0] ?? ''
  const target = /^Target:[ \t]*(\S+)[ \t]*$/m.exec(head)?.[1]
  if (target !== undefined) return target
  throw new CcError('E_CONFIG', `amd.patches: '${file}' has no line 'Target: NAME' before its first hunk`, {
    suggestions: ['add the line: Target: /usr/src/NAME-VERSION, or the package whose sources are there'],
  })
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
