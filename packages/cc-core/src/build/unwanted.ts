import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import type {Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {scriptsDirectory} from '../steps/index.js'

/** A line of scripts/lib/unwanted.txt: what an image must not have, and why. */
export interface Unwanted {
  /** Where it goes: from every image, or from hardened images. */
  stage: 'base' | 'hardened'
  /** What os.keep names. */
  group: string
  /** A package, perhaps with `*` and `[0-9]`, a unit, or an absolute path. */
  what: string
  /** Goes on a sentence that begins with it. */
  reason: string
}

/**
 * The list that the steps remove by.
 * @throws E_BUG where the file is not a list: nothing would be found unwanted
 */
export function readUnwanted(file = join(scriptsDirectory(), 'lib/unwanted.txt')): Unwanted[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  const entries = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => parseLine(line, file))
  if (entries.length === 0) throw new CcError('E_BUG', `${file} is empty`)
  return entries
}

function parseLine(line: string, file: string): Unwanted {
  const [, stage, group, what, reason] = /^(base|hardened) ([a-z-]+) (\S+) (\S.*)$/.exec(line) ?? []
  if (stage === undefined || group === undefined || what === undefined || reason === undefined) {
    throw new CcError('E_BUG', `${file}: not STAGE GROUP WHAT REASON: '${line}'`)
  }
  return {stage: stage as Unwanted['stage'], group, what, reason}
}

/** The entry of `every image` that a package is, or undefined. */
export function unwantedPackage(name: string, unwanted: readonly Unwanted[]): Unwanted | undefined {
  const plain = name.replace(/[:=].*$/, '')
  return unwanted.find(({stage, what}) => stage === 'base' && globMatches(what, plain))
}

function globMatches(glob: string, text: string): boolean {
  const escaped = glob.replaceAll(/[.+^${}()|\\]/g, String.raw`\$&`).replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`).test(text)
}

/**
 * The groups that stay in an image: those of os.keep, and those of packages that were asked for by name.
 * @param packages further packages than os.packages, those of a later stage
 * @throws E_CONFIG for an unknown group, and for anything that would stay in a production image
 */
export function keptGroups(
  {profile, os}: Pick<Config, 'profile' | 'os'>,
  packages: readonly {key: string; name: string}[] = [],
): string[] {
  const unwanted = readUnwanted()
  const groups = new Set(unwanted.filter(({stage}) => stage === 'base').map(({group}) => group))
  const unknown = os.keep.filter((group) => !groups.has(group))
  if (unknown.length > 0) {
    throw new CcError('E_CONFIG', `os.keep: there is no group '${unknown.join("', '")}'`, {
      suggestions: [`use names of ${[...groups].sort().join(', ')}`],
    })
  }
  const asked = [...os.packages.map((name) => ({key: 'os.packages', name})), ...packages].flatMap(({key, name}) => {
    const entry = unwantedPackage(name, unwanted)
    return entry === undefined ? [] : [{text: `${key}: '${name}' ${entry.reason}`, group: entry.group}]
  })
  if (profile === 'production') {
    const kept = os.keep.map((group) => `os.keep: '${group}' acts on the host's behalf`)
    const problems = [...kept, ...asked.map(({text}) => text)]
    if (problems.length > 0) {
      throw new CcError('E_CONFIG', `a production image refuses it: ${problems.join('; ')}`, {
        suggestions: ['leave it out, or set profile to development'],
      })
    }
  }
  return [...new Set([...os.keep, ...asked.map(({group}) => group)])].sort()
}
