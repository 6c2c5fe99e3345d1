import {readdirSync, readFileSync} from 'node:fs'

import {run} from 'cc-core/exec'

/** What one command took. */
export interface Measurement {
  seconds: number
  /**
   * The most memory at any sample: resident memory of all its processes, shared pages counted once for each process,
   * and what went into file systems in memory meanwhile. So it is rather too much than too little.
   */
  peakBytes: number
  stdout: string
  stderr: string
}

const sampleMs = 100
const pageBytes = 4096

/** Run a command, and watch its time and memory. Everything that runs below this process is counted as its own. */
export async function measure(argv: readonly string[], logFile?: string): Promise<Measurement> {
  const inMemoryBefore = sharedMemory()
  let peakBytes = 0
  const lines: string[] = []
  const timer = setInterval(() => {
    const inMemory = Math.max(sharedMemory() - inMemoryBefore, 0)
    peakBytes = Math.max(peakBytes, residentBelow(process.pid) + inMemory)
  }, sampleMs)
  try {
    const {stdout, ms} = await run(argv, {
      cwd: '/',
      collect: true,
      onLine: (line, stream) => {
        if (stream === 'stderr') lines.push(line)
      },
      ...(logFile !== undefined && {logFile}),
    })
    return {seconds: ms / 1000, peakBytes, stdout, stderr: lines.join('\n')}
  } finally {
    clearInterval(timer)
  }
}

/** Bytes in tmpfs and in shared mappings, of the whole machine. */
function sharedMemory(): number {
  const [, kib = '0'] = /^Shmem: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? []
  return Number(kib) * 1024
}

/** Resident memory of all processes that descend from one, without itself. */
function residentBelow(root: number): number {
  const children = new Map<number, {pid: number; bytes: number}[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const process = parseStat(name)
    if (process === null) continue
    const siblings = children.get(process.parent) ?? []
    siblings.push(process)
    children.set(process.parent, siblings)
  }
  const sum = (pid: number): number =>
    (children.get(pid) ?? []).reduce((bytes, child) => bytes + child.bytes + sum(child.pid), 0)
  return sum(root)
}

/** proc(5), stat: the name in parentheses may hold anything, so what follows it is counted from its end. */
function parseStat(pid: string): {pid: number; parent: number; bytes: number} | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {pid: Number(pid), parent: Number(fields[1]), bytes: Number(fields[21]) * pageBytes}
  } catch {
    return null // It ended meanwhile.
  }
}
