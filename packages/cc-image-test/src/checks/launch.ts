import {createHash} from 'node:crypto'
import {lstatSync} from 'node:fs'

import {SubprocessError, run} from 'cc-core/exec'
import {sha256File, type Measurement} from 'cc-core/manifest'
import {failed, passed, skipped, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'

import {cannotMeasure, measureLaunch} from '../image/measurement.js'
import type {ImageUnderTest} from '../image/under-test.js'

const scripts = ['install_cc_image.sh', 'launch_cc_image.sh']
/** Exit statuses of install_cc_image.sh --check. */
const hostLacks = 3

/** What launches the image, and what that is expected to measure. */
export function launchChecks(subject: ImageUnderTest): CheckTask[] {
  return [
    {
      id: 'measurement',
      title: 'The expected measurement is of these files',
      run: () => measurement(subject),
    },
    {
      id: 'measurement-again',
      title: 'Measuring again gives the same digests',
      run: () => measureAgain(subject),
    },
    {
      id: 'host-scripts',
      title: 'The scripts for the host can be run',
      run: () => hostScripts(subject),
    },
    {
      id: 'install-check',
      title: 'install_cc_image.sh --check finds the image whole',
      run: () => installCheck(subject),
    },
  ]
}

async function measurement({image}: ImageUnderTest): Promise<Verdict> {
  const {measurement: expected, launch, profile, cmdline} = image.manifest
  if (launch == null) return failed('the manifest does not say how the image is launched')
  if (expected == null) {
    const why = 'the image has no expected measurement: it was built without launch.ovmf'
    // Nobody could tell a production image from another one.
    return profile === 'production' ? failed(why, 'build it with the firmware that it is launched with') : skipped(why)
  }
  const problems: string[] = []
  for (const [part, name] of [
    ['kernel', 'vmlinuz'],
    ['initrd', 'initrd.img'],
  ] as const) {
    if (expected.from[part] !== (await sha256File(image.file(name)))) problems.push(`it is of another ${part}`)
  }
  if (expected.from.cmdline !== createHash('sha256').update(cmdline).digest('hex'))
    problems.push('it is of another command line')
  if (expected.from.firmware !== launch.firmwareSha256)
    problems.push('it is of another firmware than the launch section')
  for (const cpuType of launch.cpuTypes) {
    for (const vcpus of launch.vcpus) {
      const found = expected.entries.filter((entry) => entry.vcpus === vcpus && entry.cpuType === cpuType)
      if (found.length !== 1) problems.push(`${found.length} digests for ${vcpus} processors of type ${cpuType}`)
    }
  }
  const digests = new Set(expected.entries.map(({digest}) => digest))
  if (digests.size !== expected.entries.length) problems.push('two of its digests are the same')
  return verdictOf(problems, `${expected.entries.length} digests, firmware ${expected.from.firmware}`)
}

/** Needs the firmware and a tool, which the configuration of the test names. */
async function measureAgain(subject: ImageUnderTest): Promise<Verdict> {
  const {image, scratch} = subject
  const {measurement: expected, cmdline} = image.manifest
  const found = await measureLaunch(subject, {initrd: image.file('initrd.img'), cmdline}, scratch)
  if (expected == null || found === null) return skipped(cannotMeasure(subject) ?? 'nothing was measured')
  return verdictOf(measurementDifferences(found, expected), `${expected.entries.length} digests`)
}

function measurementDifferences(found: Measurement, expected: Measurement): string[] {
  if (found.from.firmware !== expected.from.firmware)
    return [`the firmware is another: ${found.from.firmware}, not ${expected.from.firmware}`]
  return expected.entries.flatMap(({vcpus, cpuType, digest}) => {
    const again = found.entries.find((entry) => entry.vcpus === vcpus && entry.cpuType === cpuType)?.digest
    return again === digest ? [] : [`${vcpus} processors of type ${cpuType}: ${again ?? 'none'}, not ${digest}`]
  })
}

async function hostScripts({image, signal}: ImageUnderTest): Promise<Verdict> {
  const problems: string[] = []
  for (const name of scripts) {
    const entry = lstatSync(image.file(name), {throwIfNoEntry: false})
    if (entry === undefined) problems.push(`${name} is missing`)
    else if (!entry.isFile()) problems.push(`${name} is no file`)
    else if ((entry.mode & 0o111) === 0) problems.push(`${name} is not executable`)
    else {
      const {exitCode, stderr} = await run(['bash', '-n', image.file(name)], {check: false, collect: true, signal})
      if (exitCode !== 0) problems.push(`${name} is not a script: ${stderr.slice(0, 200)}`)
    }
  }
  return verdictOf(problems, scripts.join(', '))
}

async function installCheck({image, scratch, signal}: ImageUnderTest): Promise<Verdict> {
  try {
    const argv = ['bash', image.file('install_cc_image.sh'), '--check', '--image', image.path]
    const {exitCode, stdout, stderr} = await run(argv, {check: false, collect: true, signal, env: {TMPDIR: scratch}})
    const lines = stdout.split('\n')
    const missing = lines.flatMap((line) => /^missing (\S[^:]*):/.exec(line)?.[1] ?? [])
    const altered = lines.filter((line) => line.startsWith('altered '))
    if (exitCode === 0) return passed('the image is whole, and this host can run it confidentially')
    if (exitCode === hostLacks && altered.length === 0)
      return passed(`the image is whole; to run it confidentially this host lacks: ${missing.join(', ')}`)
    return failed([...altered, stderr.split('\n')[0] ?? ''].join('; '))
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error
    return failed(error.message)
  }
}
