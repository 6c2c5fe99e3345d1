import {createHash} from 'node:crypto'
import {lstatSync} from 'node:fs'

import {run} from 'cc-core/exec'
import {sha256File} from 'cc-core/manifest'
import {skipped, type CheckTask, type Verdict} from 'cc-core/report'

import {cannotMeasure, measureLaunch} from '../image/measurement.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {
  judgeHostScripts,
  judgeInstallCheck,
  judgeMeasuredAgain,
  judgeMeasurement,
  type HostScript,
  type InstallCheck,
} from '../judges/launch.js'

const scripts = ['install_cc_image.sh', 'launch_cc_image.sh']

/** What launches the image, and what that is expected to measure. */
export function launchChecks(subject: ImageUnderTest): CheckTask[] {
  const {manifest} = subject.image
  return [
    {
      id: 'measurement',
      title: 'The expected measurement is of these files',
      run: async () => judgeMeasurement(await launchFiles(subject), manifest),
    },
    {
      id: 'measurement-again',
      title: 'Measuring again gives the same digests',
      run: () => measureAgain(subject),
    },
    {
      id: 'host-scripts',
      title: 'The scripts for the host can be run',
      run: async () => judgeHostScripts({scripts: await hostScripts(subject)}, {names: scripts}),
    },
    {
      id: 'install-check',
      title: 'install_cc_image.sh --check finds the image whole',
      run: async () => judgeInstallCheck(await installCheck(subject)),
    },
  ]
}

async function launchFiles({image}: ImageUnderTest) {
  const {measurement = null, launch = null, cmdline} = image.manifest
  return {
    ...{measurement, launch, cmdline: createHash('sha256').update(cmdline).digest('hex')},
    kernel: await sha256File(image.file('vmlinuz')),
    initrd: await sha256File(image.file('initrd.img')),
  }
}

/** Needs the firmware and a tool, which the configuration of the test names. */
async function measureAgain(subject: ImageUnderTest): Promise<Verdict> {
  const {image, scratch} = subject
  const {measurement, cmdline} = image.manifest
  const reason = cannotMeasure(subject)
  if (reason !== null || measurement == null) return skipped(reason ?? 'the image has no expected measurement')
  const found = await measureLaunch(subject, {initrd: image.file('initrd.img'), cmdline}, scratch)
  return judgeMeasuredAgain({found: found ?? undefined}, {measurement})
}

async function hostScripts({image, signal}: ImageUnderTest): Promise<HostScript[]> {
  const found: HostScript[] = []
  for (const name of scripts) {
    const entry = lstatSync(image.file(name), {throwIfNoEntry: false})
    const kind = entry === undefined ? 'missing' : entry.isFile() ? 'file' : 'other'
    let syntax = ''
    if (kind === 'file') {
      const argv = ['bash', '-n', image.file(name)]
      const {exitCode, stderr} = await run(argv, {check: false, collect: true, signal})
      if (exitCode !== 0) syntax = stderr || `bash -n ended with status ${exitCode}`
    }
    found.push({name, kind, executable: ((entry?.mode ?? 0) & 0o111) !== 0, syntax})
  }
  return found
}

async function installCheck({image, scratch, signal}: ImageUnderTest): Promise<InstallCheck> {
  const argv = ['bash', image.file('install_cc_image.sh'), '--check', '--image', image.path]
  return run(argv, {check: false, collect: true, signal, env: {TMPDIR: scratch}})
}
