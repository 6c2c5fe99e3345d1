import {readFile} from 'node:fs/promises'
import {userInfo} from 'node:os'

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
 * Whether a user has the subordinate ids that a tree needs. unshare --map-auto takes the first range of the user, by
 * name or number, so only that one counts.
 * @param files the text of /etc/subuid and of /etc/subgid
 */
export function subordinateIdProblem(
  user: {name: string; uid: number},
  files: Readonly<Record<'subuid' | 'subgid', string>>,
): HostProblem | null {
  const short: string[] = []
  let free = 100_000
  for (const [name, text] of Object.entries(files)) {
    const ranges = parseSubordinateIds(text)
    const count = ranges.find(({owner}) => owner === user.name || owner === String(user.uid))?.count ?? 0
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

/** The same of the user that we run as; root has all ids. */
export async function ownSubordinateIdProblem(): Promise<HostProblem | null> {
  const {username: name, uid} = userInfo()
  if (uid === 0) return null
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  return subordinateIdProblem({name, uid}, {subuid: await read('/etc/subuid'), subgid: await read('/etc/subgid')})
}
