import {mkdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {inject} from 'vitest'

import {run, type RunOptions, type RunResult} from 'cc-core/exec'

import {asUser, giveToUser, testUser} from './user.js'

/** What the global set-up has made, once for all tests. */
export interface LabPaths {
  /** Everything below belongs to the test user. */
  root: string
  /** The packages as npm would install them from the registry. */
  bin: string
  /** What was installed for that. */
  tarballs: string
  scripts: string
  /** Stand-in ISOs by distribution. */
  iso: Record<'debian-12' | 'debian-13', string>
  /** The root key of every image that the tests build. */
  rootKey: string
  /** An image directory of debian-12, and the work folder it was built in. */
  image: string
  workDir: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    lab: LabPaths
  }
}

export const lab = (): LabPaths => inject('lab')

/** Run a program as the test user. */
export function runAsUser(argv: readonly string[], options: RunOptions & {user?: string} = {}): Promise<RunResult> {
  const {user = testUser, ...rest} = options
  const home = new RegExp(`^${user}:.*?:.*?:.*?:.*?:(.*?):`, 'm').exec(readFileSync('/etc/passwd', 'utf8'))?.[1]
  return run([...asUser(user), ...argv], {collect: true, check: false, ...rest, env: {HOME: home, ...rest.env}})
}

/** Run one of our commands as the test user; its name is a bin of the installed packages. */
export function cc(
  name: string,
  args: readonly string[],
  options: RunOptions & {user?: string} = {},
): Promise<RunResult> {
  return runAsUser([process.execPath, join(lab().bin, name), ...args], options)
}

/** A new folder of the test user. */
export function folder(name: string): string {
  const path = join(lab().root, name)
  mkdirSync(path)
  giveToUser(path)
  return path
}

/** What a build prints with --json. */
export interface BuildJson {
  image: string
  cached: boolean
  ms: number
}

export interface ErrorJson {
  code: string
  message: string
  exitCode: number
  suggestions: string[]
}

/** The result of a build that succeeded. */
export function buildOf(result: RunResult): BuildJson {
  if (result.exitCode !== 0) throw new Error(`the build failed: ${result.stdout}${result.stderr}`)
  return JSON.parse(result.stdout) as BuildJson
}

/** The error of a command that failed. */
export function errorOf(result: RunResult): ErrorJson {
  return (JSON.parse(result.stdout) as {error: ErrorJson}).error
}
