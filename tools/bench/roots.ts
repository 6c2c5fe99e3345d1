// Seal the tree of a hardened image with each file system of its root: tsx roots.ts IMAGE WORK. Prints JSON for bench.ts.
import {mkdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {runTasks} from 'cc-core/build'
import {parseConfig, type Config} from 'cc-core/config'
import {run} from 'cc-core/exec'
import {readImageDirectory} from 'cc-core/manifest'
import {openOutput, planOpen, planSeal} from 'cc-core/seal'
import {scriptsDirectory} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'

/** What one seal took. */
interface Root {
  seconds: number
  /** Bytes of the qcow2 on its file system. */
  stored: number
  /** Bytes that all programs wrote to file systems on a disk. */
  written: number
}

const [path = '', work = ''] = process.argv.slice(2)
const image = await readImageDirectory(path)
const {name, stage, distribution, source, sourceDateEpoch, tool, buildKey} = image.manifest
const tree = join(work, 'tree')
const context = {reporter: new SilentReporter(), logDir: join(work, 'logs'), places: [work]}

/** What this process and its children, once they have ended, have written (proc_pid_io(5)). */
async function written(): Promise<number> {
  return Number(/^write_bytes: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN)
}

function withRoot(filesystem: 'ext4' | 'squashfs'): Config {
  const config = parseConfig(image.manifest.config)
  const root = config.layout.partitions['cc-root']
  if (root === undefined) throw new Error(`${path} has no cc-root`)
  const partitions = {...config.layout.partitions, 'cc-root': {...root, filesystem}}
  return {...config, profile: image.manifest.profile, layout: {...config.layout, partitions}}
}

async function seal(filesystem: 'ext4' | 'squashfs'): Promise<Root> {
  const output = await openOutput(join(work, filesystem))
  const request = {name, stage, distribution, source, sourceDateEpoch, tool, buildKey, tree, aliases: [], rootKey: null}
  const tasks = await planSeal({...request, config: withRoot(filesystem)}, join(work, `${filesystem}.scratch`), output)
  const [from, before] = [performance.now(), await written()]
  await runTasks(tasks, context)
  const [seconds, bytes] = [(performance.now() - from) / 1000, (await written()) - before]
  await output.publish()
  const {blocks} = await stat(join(output.path, `${name}.qcow2`))
  return {seconds, stored: blocks * 512, written: bytes}
}

await mkdir(work, {recursive: true})
const rootKey = image.file('keys/root.key')
await runTasks(await planOpen({image, rootKey, tree}, join(work, 'open')), context)
const inside = ['bash', join(scriptsDirectory(), 'lib/namespace.sh')]
const {stdout} = await run([...inside, 'du', '--summarize', '--bytes', tree], {collect: true})
const content = Number.parseInt(stdout, 10)
const ext4 = await seal('ext4')
const squashfs = await seal('squashfs')
process.stdout.write(`${JSON.stringify({content, ext4, squashfs})}\n`)
