import {createHash, randomUUID} from 'node:crypto'
import {link, readFile, rename, unlink, writeFile} from 'node:fs/promises'
import {dirname} from 'node:path'

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

/** Whether the process that a lock names is there: by its number and its start, since numbers come again. */
async function isRunning(owner: string): Promise<boolean> {
  const [pid = '', started = ''] = owner.split(' ')
  return pid !== '' && (await startTime(Number(pid))) === started
}

/**
 * Take a lock file, so that two builds never work in one folder. One whose owner was killed is taken over.
 * @returns a function that gives the lock back
 * @throws E_LOCKED naming the process that has it
 */
export async function lock(file: string): Promise<() => Promise<void>> {
  const mine = `${process.pid} ${(await startTime(process.pid)) ?? ''}`
  for (let attempt = 0; attempt < 10; attempt += 1) {
    if (await claim(file, mine)) return () => unlink(file)
    const owner = await readFile(file, 'utf8').catch(() => null)
    if (owner === null) continue // Given back meanwhile.
    if (await isRunning(owner)) {
      throw new CcError(
        'E_LOCKED',
        `another build, process ${owner.split(' ', 1)[0] ?? ''}, is working in ${dirname(file)}`,
        {
          suggestions: ['wait for it to end, or choose another --work-dir'],
        },
      )
    }
    if (await follow(file, owner, mine)) return () => unlink(file)
  }
  throw new CcError('E_LOCKED', `the lock ${file} cannot be taken`, {suggestions: ['try again']})
}

/**
 * Put our lock in the place of one whose owner is gone. To follow this very owner is a lock of its own, so only one can:
 * while it is held nobody else replaces the lock, and a lock that another has replaced before is left alone.
 * @returns false where another was faster
 */
async function follow(file: string, owner: string, mine: string): Promise<boolean> {
  const giveBack = await lock(`${file}.after-${createHash('sha256').update(owner).digest('hex').slice(0, 16)}`)
  try {
    if ((await readFile(file, 'utf8').catch(() => null)) !== owner) return false
    const own = await written(file, mine)
    await rename(own, file)
    return true
  } finally {
    await giveBack()
  }
}

/** Make the lock file, with its owner in it from the first moment: an empty one would look like one left behind. */
async function claim(file: string, owner: string): Promise<boolean> {
  const own = await written(file, owner)
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

async function written(file: string, owner: string): Promise<string> {
  const own = `${file}.${randomUUID()}`
  await writeFile(own, owner, {mode: 0o644})
  return own
}
