import {readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

/** Files in the folder of a machine to which QEMU writes what is said at consoles besides the first. */
const names = /^(hvc|ttyS|agent)\d*$/

/** What was said at consoles besides the first, by their name. */
export async function channelsIn(folder: string): Promise<Record<string, string>> {
  const channels: Record<string, string> = {}
  for (const name of (await readdir(folder)).filter((entry) => names.test(entry))) {
    const path = join(folder, name)
    if ((await stat(path)).isFile()) channels[name] = await readFile(path, 'latin1')
  }
  return channels
}
