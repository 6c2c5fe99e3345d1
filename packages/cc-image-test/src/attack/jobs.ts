import {availableParallelism, freemem} from 'node:os'

/** What QEMU itself takes, in MiB. */
const overhead = 256

/** How many machines of a size run at once without being in each other's way: each of them waits now and then. */
export function defaultJobs(memoryMiB: number): number {
  const room = Math.floor(freemem() / 1024 ** 2 / (memoryMiB + overhead))
  return Math.max(1, Math.min(2 * availableParallelism(), room, 16))
}
