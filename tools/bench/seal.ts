// Open an image and seal its tree for several sites: tsx seal.ts IMAGE WORK SITES. Prints JSON for bench.ts.
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'

import {parseConfig} from 'cc-core/config'
import {readImageDirectory} from 'cc-core/manifest'
import {openOutput, planOpen, planPrepare, planSeal} from 'cc-core/seal'
import {runTasks} from 'cc-core/build'
import {SilentReporter} from 'cc-core/ui'

const [path = '', work = '', sites = '2'] = process.argv.slice(2)
const image = await readImageDirectory(path)
const {name, stage, distribution, source, sourceDateEpoch, tool, buildKey, config} = image.manifest
const tree = join(work, 'tree')
const context = {reporter: new SilentReporter(), logDir: join(work, 'logs')}
const request = {
  ...{name, stage, distribution, source, sourceDateEpoch, tool, buildKey, tree},
  ...{config: parseConfig(config), aliases: [], rootKey: null},
}

/** Seconds that some work takes. */
async function seconds(run: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await run()
  return (performance.now() - from) / 1000
}

async function seal(site: string, prepared?: string): Promise<void> {
  const output = await openOutput(join(work, site))
  const from = prepared === undefined ? {} : {prepared}
  await runTasks(await planSeal({...request, ...from}, join(work, `${site}.scratch`), output), context)
  await output.publish()
}

await mkdir(work, {recursive: true})
const rootKey = image.file('keys/root.key')
const prepared = join(work, 'prepared')
const opened = await seconds(async () =>
  runTasks(await planOpen({image, rootKey, tree}, join(work, 'scratch')), context),
)
const whole = await seconds(() => seal('whole'))
const prepare = await seconds(async () => runTasks(await planPrepare(request, prepared), context))
const names = Array.from({length: Math.max(Number(sites), 2)}, (_, index) => `site-${index}`)
const [first = '', ...others] = names
const alone = await seconds(() => seal(first, prepared))
const together = await seconds(async () => {
  await Promise.all(others.map((site) => seal(site, prepared)))
})
const bytes = image.manifest.partitions.reduce((sum, {content}) => sum + (content?.bytes ?? 0), 0)
process.stdout.write(`${JSON.stringify({bytes, opened, whole, prepare, alone, together, others: others.length})}\n`)
