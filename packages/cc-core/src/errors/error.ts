import {codes, isErrorCode, type ErrorCode} from './codes.js'

const brand = Symbol.for('cc-core.CcError')

export interface CcErrorOptions {
  /** What the reader can do next, one line each. */
  suggestions?: readonly string[]
  /** The error underneath. Not enumerable, so neither oclif's text nor --json repeats it. */
  reason?: unknown
}

/**
 * The one error that a command shows. The message is a lower-case fragment that contains the wrong value.
 * Both `exitCode` and `oclif.exit` are there because oclif reads the one with --json and the other without.
 */
export class CcError extends Error {
  readonly code: ErrorCode
  readonly suggestions: string[]
  exitCode: number
  oclif: {exit: number}
  declare readonly reason?: unknown

  constructor(code: ErrorCode, message: string, options: CcErrorOptions = {}) {
    super(message)
    this.name = 'CcError'
    this.code = code
    this.suggestions = [...(options.suggestions ?? [])]
    this.exitCode = codes[code].exit
    this.oclif = {exit: this.exitCode}
    Object.defineProperty(this, 'reason', {value: options.reason, enumerable: false})
    Object.defineProperty(this, brand, {value: true, enumerable: false})
  }

  /** Like instanceof, but also true across two installed copies of this package. */
  static is(error: unknown): error is CcError {
    return error instanceof Error && brand in error
  }

  /** The same error with another exit status, for the signal that caused it. */
  withExit(exit: number): this {
    this.exitCode = exit
    this.oclif = {exit}
    return this
  }
}

/** What the system says of a path that cannot be what it has to be: never a fault of ours. */
const refusals: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'it leads through a file, not a folder',
  ELOOP: 'too many links',
  ENAMETOOLONG: 'the name is too long',
}

/**
 * Whatever was thrown, as a CcError. A full disk, a path that cannot be used and an abort are recognised; everything else that is not
 * already a CcError is our bug.
 */
export function toCcError(thrown: unknown): CcError {
  if (CcError.is(thrown)) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const errno = 'code' in error ? error.code : undefined
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new CcError('E_SPACE', error.message, {
      suggestions: ['free some space, or choose another --work-dir or --output'],
      reason: error,
    })
  }
  const refusal = typeof errno === 'string' ? refusals[errno] : undefined
  if (refusal !== undefined) {
    const path = 'path' in error && typeof error.path === 'string' ? `'${error.path}': ${refusal}` : error.message
    return new CcError('E_CONFIG', path, {
      suggestions: ['correct the path, or the permissions of the file or folder'],
      reason: error,
    })
  }
  if (error.name === 'AbortError') return new CcError('E_INTERRUPTED', 'interrupted', {reason: error})
  return new CcError('E_BUG', `${error.name}: ${error.message}`, {
    suggestions: ['run it again with --verbose and report what it prints'],
    reason: error,
  })
}

/**
 * The error that a step announced on stderr as `error[CODE]: message` and optional `  try: hint` lines.
 * The first announcement counts: what follows is its consequence. Null when there is none.
 * A code that this version does not know becomes E_STEP_FAILED.
 */
export function fromStepOutput(stderr: string): CcError | null {
  const lines = stderr.split('\n')
  const start = lines.findIndex((line) => /^error\[E_[A-Z0-9_]+\]: /.test(line))
  const [, code = '', message = ''] = /^error\[(\w+)\]: (.*)$/.exec(lines[start] ?? '') ?? []
  if (start < 0) return null
  const suggestions: string[] = []
  for (const line of lines.slice(start + 1)) {
    const hint = /^ {2}try: (.*)$/.exec(line)?.[1]
    if (hint === undefined) break
    suggestions.push(hint)
  }
  return new CcError(isErrorCode(code) ? code : 'E_STEP_FAILED', message, {suggestions})
}
