import {randomUUID} from 'node:crypto'
import {link, readFile, rename, unlink, writeFile} from 'node:fs/promises'

import {CcError} from '../errors/index.js'

/** The time at which a process started, in clock ticks (proc(5), stat, field 22); null where there is no such process. */
async function startTime(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

/**
 * Take a lock file, so that two builds never work in one folder. One whose owner was killed is taken over: a process
 * is known by its number and its start, since numbers come again.
 * @returns a function that gives the lock back
 * @throws E_LOCKED naming the process that has it
 */
export async function lock(file: string): Promise<() => Promise<void>> {
  const mine = `${process.pid} ${(await startTime(process.pid)) ?? ''}`
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await claim(file, mine)) return () => unlink(file)
    const owner = await readFile(file, 'utf8').catch(() => '')
    const [pid = '', started = ''] = owner.split(' ')
    if (pid !== '' && (await startTime(Number(pid))) === started) {
      throw new CcError('E_LOCKED', `another build, process ${pid}, is working in the folder of ${file}`, {
        suggestions: ['wait for it to end, or choose another --work-dir'],
      })
    }
    // Renamed first: of two that find it stale, one succeeds and the other looks again. Where another run has taken it
    // over meanwhile, it is that one's lock that was renamed, and it goes back.
    const stale = `${file}.${randomUUID()}`
    await rename(file, stale).catch(() => undefined)
    if ((await readFile(stale, 'utf8').catch(() => owner)) !== owner) await link(stale, file).catch(() => undefined)
    await unlink(stale).catch(() => undefined)
  }
  throw new CcError('E_LOCKED', `the lock ${file} cannot be taken`, {suggestions: ['try again']})
}

/** Make the lock file, with its owner in it from the first moment: an empty one would look like one left behind. */
async function claim(file: string, owner: string): Promise<boolean> {
  const own = `${file}.${randomUUID()}`
  await writeFile(own, owner, {mode: 0o644})
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  } finally {
    await unlink(own)
  }
}
