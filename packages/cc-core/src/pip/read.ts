import {readdirSync} from 'node:fs'
import {join} from 'node:path'

import {CcError, type ErrorCode} from '../errors/index.js'
import {run} from '../exec/index.js'
import {scriptsDirectory} from '../steps/index.js'

/** How pip of this host reaches packages; what its configuration leaves open is left out. */
export interface PipSettings {
  'index-url'?: string
  'extra-index-url'?: string[]
  'find-links'?: string[]
  'find-links-url'?: string[]
  'trusted-host'?: string[]
  'no-index'?: boolean
  proxy?: string
  cert?: string
  'client-cert'?: string
  timeout?: string
  retries?: string
}

/** What pip would read of this host for some requirements. All paths are absolute. */
export interface PipReading {
  /** Files of requirements and constraints, the first one included. */
  files: string[]
  /** Wheels and source archives. */
  archives: string[]
  /** Folders with wheels. */
  folders: string[]
  /** Folders with the source of a package. */
  projects: string[]
  /** Files of requirements at a URL. */
  remote: string[]
  /** What the reader of the log should know. */
  notes: string[]
  /** Names of the variables that the files use, as `${NAME}`. */
  variables: string[]
  /** Whether a URL in them carries a user, a password or a query. */
  credentials: boolean
  /** pip's configuration of this host: of the system, of the user, and of the environment. */
  settings: {taken: PipSettings; ignored: string[]}
}

/**
 * Read requirements with pip's own parser, which lies beside the steps. Nothing is downloaded and nothing is written.
 * @param what a file; or lines, which messages call `title`
 * @param installed versions by name: a requirement that asks for another one is refused
 * @throws E_PACKAGE with file and line for what pip cannot read, and for a path that is not there
 */
export async function readPip(
  what: {file: string} | {lines: readonly string[]; title: string},
  installed: Readonly<Record<string, string>> = {},
): Promise<PipReading> {
  const library = join(scriptsDirectory(), 'lib')
  const request = {file: null, lines: [], title: '', installed, ...what}
  const {stdout} = await run(['python3', '-I', join(library, 'pip-read.py'), pipWheel()], {
    input: JSON.stringify(request),
    // The files may use every variable of the caller, whose locale must not decide how they are decoded.
    env: {...process.env, LC_ALL: 'C.UTF-8'},
    secret: true,
    collect: true,
  })
  const answer = JSON.parse(stdout) as PipReading | {error: {code: ErrorCode; message: string; hints: string[]}}
  if (!('error' in answer)) return answer
  const {code, message, hints} = answer.error
  throw new CcError(code, message, {suggestions: hints})
}

/** The one pip that is used, on this host and in every tree; scripts/lib/pip.sh has its sha256. */
export function pipWheel(): string {
  const folder = join(scriptsDirectory(), 'vendor')
  const [wheel, ...others] = readdirSync(folder).filter((name) => /^pip-.*\.whl$/.test(name))
  if (wheel === undefined || others.length > 0) throw new CcError('E_BUG', `expected one wheel of pip in ${folder}`)
  return join(folder, wheel)
}
