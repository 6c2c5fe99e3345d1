import {existsSync} from 'node:fs'
import {open} from 'node:fs/promises'

import type {HostProblem} from './subordinate-ids.js'

/** Whether /dev/fuse can be opened for reading and writing, as distributions let everybody do. */
export async function fuseProblem(device = '/dev/fuse'): Promise<HostProblem | null> {
  if (!existsSync(device)) return {message: `there is no ${device}`, fix: 'sudo modprobe fuse'}
  try {
    const handle = await open(device, 'r+')
    await handle.close()
    return null
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an error'
    return {message: `${device} cannot be opened for reading and writing: ${code}`, fix: `sudo chmod 0666 ${device}`}
  }
}
