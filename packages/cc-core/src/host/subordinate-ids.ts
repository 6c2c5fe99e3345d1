import {readFile} from 'node:fs/promises'

import {currentUser} from '../exec/index.js'
import {neededIds} from './requirements.js'

/** What is wrong on this host, and the command that mends it. */
export interface HostProblem {
  message: string
  fix: string
}

interface Range {
  owner: string
  start: number
  count: number
}

/** The lines of /etc/subuid or /etc/subgid (subuid(5)); others are ignored, as by the programs that read it. */
export function parseSubordinateIds(text: string): Range[] {
  return text.split('\n').flatMap((line) => {
    const [, owner = '', start, count] = /^([^:]+):(\d+):(\d+)$/.exec(line.trim()) ?? []
    return start === undefined ? [] : [{owner, start: Number(start), count: Number(count)}]
  })
}

/**
 * Whether a user has the subordinate ids that a tree needs. All ranges of the user count, by name or number:
 * scripts/lib/namespace.sh maps one after the other, and leaves out one that overlaps another.
 * @param user name: null for one without an entry in /etc/passwd
 * @param files the text of /etc/subuid and of /etc/subgid
 */
export function subordinateIdProblem(
  user: {name: string | null; uid: number},
  files: Readonly<Record<'subuid' | 'subgid', string>>,
): HostProblem | null {
  if (user.name === null) {
    return {
      message: `the user ${user.uid} has no entry in /etc/passwd, and newuidmap maps nothing without one`,
      fix: `run it as a user with an entry, as root, or add one: sudo useradd --uid ${user.uid} NAME`,
    }
  }
  const short: string[] = []
  let free = 100_000
  for (const [name, text] of Object.entries(files)) {
    const ranges = parseSubordinateIds(text)
    const own = ranges.filter(({owner}) => owner === user.name || owner === String(user.uid))
    const count = separate(own).reduce((sum, range) => sum + range.count, 0)
    if (count < neededIds) short.push(`${count} in /etc/${name}`)
    free = Math.max(free, ...ranges.map((range) => range.start + range.count))
  }
  if (short.length === 0) return null
  const range = `${free}-${free + neededIds - 1}`
  return {
    message: `the user '${user.name}' has ${short.join(' and ')}, and needs ${neededIds} subordinate ids`,
    fix: `sudo usermod --add-subuids ${range} --add-subgids ${range} ${user.name}`,
  }
}

/** The ranges without those that overlap one before them: the kernel refuses to map an id twice. */
function separate(ranges: readonly Range[]): Range[] {
  const taken: Range[] = []
  for (const range of ranges) {
    const overlaps = taken.some(
      (other) => range.start < other.start + other.count && other.start < range.start + range.count,
    )
    if (!overlaps) taken.push(range)
  }
  return taken
}

/** The same of the user that we run as; root has all ids. */
export async function ownSubordinateIdProblem(): Promise<HostProblem | null> {
  const user = currentUser()
  if (user.uid === 0) return null
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  return subordinateIdProblem(user, {subuid: await read('/etc/subuid'), subgid: await read('/etc/subgid')})
}
