import {readdirSync, readFileSync} from 'node:fs'

/** How often all processes are read; one that lives for less may be missed. */
const intervalMs = 20

/**
 * Look for a text in the arguments and the environment of every process of this machine but this one, as any user (the
 * arguments) or root (both) can.
 * @returns a function that ends the watch and gives the command of each process that had the text
 */
export function watchProcesses(text: string): () => string[] {
  const found = new Map<string, string>()
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return '' // It has ended.
    }
  }
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
      const argv = read(`/proc/${pid}/cmdline`)
      const place = argv.includes(text)
        ? 'arguments'
        : read(`/proc/${pid}/environ`).includes(text)
          ? 'environment'
          : null
      if (place !== null) found.set(`${pid} ${place}`, `${place} of ${argv.replaceAll('\0', ' ')}`)
    }
  }, intervalMs)
  return () => {
    clearInterval(timer)
    return [...found.values()]
  }
}
