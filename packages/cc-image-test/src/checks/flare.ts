import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {makeVariant} from 'cc-core/build'
import {planStep, scriptsDirectory} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch} from 'cc-core/vm'

import {testMachine, type Boots} from '../image/boots.js'
import {validFields} from '../image/fields.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {describeExit} from '../judges/console-text.js'
import {
  judgeFlareVersion,
  judgeJob,
  judgeLock,
  judgeState,
  pythonLock,
  selfTest,
  type SelfTest,
} from '../judges/flare.js'

const marker = 'CC-TEST '

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
  let running: Promise<Partial<SelfTest>> | undefined
  const job = () => (running ??= runJob(subject, boots))
  const ofJob = (
    id: string,
    title: string,
    judge: (result: Partial<SelfTest>) => Verdict | Promise<Verdict>,
  ): CheckTask => ({
    id,
    title,
    run: async () => (boots.impossible === null ? judge(await job()) : skipped(boots.impossible)),
  })
  const lock = async () =>
    existsSync(image.file('python.json'))
      ? pythonLock.parse(JSON.parse(await readFile(image.file('python.json'), 'utf8')))
      : undefined

  return [
    {
      id: 'flare-lock',
      title: 'Every Python package is listed with its hash',
      run: async () => judgeLock({packages: await lock()}),
    },
    ofJob('flare-version', 'NVIDIA FLARE runs in the version of the list', async ({version}) =>
      judgeFlareVersion({version, packages: await lock()}),
    ),
    ofJob('flare-job', 'The simulator runs a job with two clients', (result) => judgeJob(result)),
    ofJob('flare-workspace', 'The workspace belongs to the user alone', ({workspace}) =>
      judgeState({found: workspace}, {wanted: `${user.name}:${user.group} 750`}),
    ),
    ofJob('flare-venv', 'The environment belongs to root', ({venv}) =>
      judgeState({found: venv}, {wanted: 'root:root 755'}),
    ),
    ofJob('flare-service', 'The service is installed and not enabled', ({service}) =>
      judgeState({found: service}, {wanted: 'disabled'}),
    ),
  ]
}

async function runJob(subject: ImageUnderTest, boots: Boots): Promise<Partial<SelfTest>> {
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
  return validFields(selfTest, boot.matched.slice(marker.length))
}
