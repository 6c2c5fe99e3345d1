import {mkdir, open} from 'node:fs/promises'
import {dirname} from 'node:path'

/** Where the output of one run goes. Writing waits for the disk, so a fast program cannot fill our memory. */
export interface RunLog {
  write(data: string | Uint8Array): Promise<void>
  close(): Promise<void>
}

/** Opens a log to append to; only its owner may read it. Without a file, a log that drops everything. */
export async function openLog(file: string | undefined): Promise<RunLog> {
  if (file === undefined) return {write: () => Promise.resolve(), close: () => Promise.resolve()}
  await mkdir(dirname(file), {recursive: true})
  const handle = await open(file, 'a', 0o600)
  return {
    async write(data) {
      await handle.writeFile(data)
    },
    close: () => handle.close(),
  }
}
