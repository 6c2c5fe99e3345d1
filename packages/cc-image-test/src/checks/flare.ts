import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {failed, passed, skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {makeVariant} from 'cc-core/stage'
import {planStep, scriptsDirectory} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch} from 'cc-core/vm'
import {z} from 'zod'

import {testMachine, type Boots} from '../image/boots.js'
import {describeExit} from '../judges/console-text.js'
import type {ImageUnderTest} from '../image/under-test.js'

const marker = 'CC-TEST '

/** What scripts/flare/self-test.sh lets the guest say. Owners and modes are those of stat(1), "user:group mode". */
const selfTest = z.object({
  version: z.string(),
  status: z.int(),
  models: z.int(),
  rounds: z.int(),
  workspace: z.string(),
  venv: z.string(),
  /** Of nvflare.service, as systemctl is-enabled says it. */
  service: z.string(),
})
type SelfTest = z.output<typeof selfTest>

/** The list of what pip installed, as scripts/lib/pip-lock.py writes it. */
const pythonLock = z.array(z.object({name: z.string(), version: z.string(), sha256: z.string().nullable()}))

/** FLARE needs more memory than a boot: a server and two clients run at once. */
const memoryMiB = 2048
const timeoutMs = 900_000

/**
 * What is special about a FLARE image. A job runs in a copy of the image that has one unit more; the image itself has no
 * way in for a test.
 */
export function flareChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {image, config} = subject
  const {user} = config.os
  let running: Promise<SelfTest> | undefined
  const job = () => (running ??= runJob(subject, boots))
  const ofJob = (id: string, title: string, judge: (result: SelfTest) => Verdict | Promise<Verdict>): CheckTask => ({
    id,
    title,
    run: async () => (boots.impossible === null ? judge(await job()) : skipped(boots.impossible)),
  })
  const lock = async () => pythonLock.parse(JSON.parse(await readFile(image.file('python.json'), 'utf8')))

  return [
    {
      id: 'flare-lock',
      title: 'Every Python package is listed with its hash',
      run: async () => {
        if (!existsSync(image.file('python.json'))) return failed('there is no python.json')
        const packages = await lock()
        const bare = packages.filter(({sha256}) => sha256 === null).map(({name}) => name)
        return bare.length === 0 ? passed(`${packages.length} packages`) : failed(`without a hash: ${bare.join(', ')}`)
      },
    },
    ofJob('flare-version', 'NVIDIA FLARE runs in the version of the list', async ({version}) => {
      const listed = (await lock()).find(({name}) => name === 'nvflare')?.version
      return version === listed ? passed(version) : failed(`it says '${version}', the list has ${listed ?? 'none'}`)
    }),
    ofJob('flare-job', 'The simulator runs a job with two clients', ({status, models, rounds}) =>
      status === 0 && models > 0 && rounds > 0
        ? passed(`${rounds} rounds, a model on the server`)
        : failed(`exit status ${status}, ${rounds} rounds, ${models} models`),
    ),
    ofJob('flare-workspace', 'The workspace belongs to the user alone', ({workspace}) =>
      workspace === `${user.name}:${user.group} 750` ? passed(workspace) : failed(workspace),
    ),
    ofJob('flare-venv', 'The environment belongs to root', ({venv}) =>
      venv === 'root:root 755' ? passed(venv) : failed(venv),
    ),
    ofJob('flare-service', 'The service is installed and not enabled', ({service}) =>
      service === 'disabled' ? passed(service) : failed(service),
    ),
  ]
}

async function runJob(subject: ImageUnderTest, boots: Boots): Promise<SelfTest> {
  const {image, config, scratch, signal} = subject
  const {venv, workspace} = config.flare
  const rootKey = image.file('keys/root.key')
  const variant = await makeVariant(
    {
      image,
      rootKey,
      folder: join(scratch, 'variant'),
      change: async (tree) => [
        await planStep('flare/self-test', {
          ...{tree, venv, workspace, user: config.os.user.name},
          job: join(scriptsDirectory(), 'flare/self-test-job'),
        }),
      ],
    },
    {reporter: new SilentReporter(), signal},
  )
  await boots.settled() // One machine at a time: it needs the memory, and time is what is measured.
  const {accelerator} = await boots.accelerator()
  const disk = variant.file(`${variant.manifest.name}.qcow2`)
  const boot = await bootAndWatch({
    vm: testMachine({image: variant, disk}, rootKey, {accelerator, memoryMiB}),
    until: (line) => line.startsWith(marker),
    ...{timeoutMs, signal},
  })
  if (boot.matched === null) throw new Error(`the job did not end: ${describeExit(boot)}`)
  return selfTest.parse(JSON.parse(boot.matched.slice(marker.length)))
}
