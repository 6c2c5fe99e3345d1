import {open, readFile, rename, unlink} from 'node:fs/promises'

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
    try {
      const handle = await open(file, 'wx', 0o644)
      await handle.writeFile(mine)
      await handle.close()
      return () => unlink(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = await readFile(file, 'utf8').catch(() => '')
    const [pid = '', started = ''] = owner.split(' ')
    if (pid !== '' && (await startTime(Number(pid))) === started) {
      throw new CcError('E_LOCKED', `another build, process ${pid}, is working in the folder of ${file}`, {
        suggestions: ['wait for it to end, or choose another --work-dir'],
      })
    }
    // Renamed first: of two that find it stale, one succeeds and the other looks again.
    const stale = `${file}.${process.pid}`
    await rename(file, stale).catch(() => undefined)
    await unlink(stale).catch(() => undefined)
  }
  throw new CcError('E_LOCKED', `the lock ${file} cannot be taken`, {suggestions: ['try again']})
}
