import type {LaunchFacts, Measurement} from 'cc-core/manifest'
import {failed, passed, skipped, verdictOf} from 'cc-core/report'

import {judging} from './evidence.js'

export interface LaunchFiles {
  /** sha256. */
  kernel: string
  initrd: string
  cmdline: string
  /** What the manifest says; null: nothing. */
  measurement: Measurement | null
  launch: LaunchFacts | null
}

/** The expected measurement is of these very files. A production image without one could not be told from another. */
export const judgeMeasurement = judging<LaunchFiles>(
  'kernel',
  'initrd',
  'cmdline',
  'measurement',
  'launch',
)((seen, {profile}: {profile: string}) => {
  const {measurement, launch} = seen
  if (launch === null) return failed('the manifest does not say how the image is launched')
  if (measurement === null) {
    const why = 'the image has no expected measurement: it was built without launch.ovmf'
    return profile === 'production' ? failed(why, 'build it with the firmware that it is launched with') : skipped(why)
  }
  const {from, entries} = measurement
  const names = {kernel: 'kernel', initrd: 'initrd', cmdline: 'command line'}
  const problems = (['kernel', 'initrd', 'cmdline'] as const).flatMap((part) =>
    from[part] === seen[part] ? [] : [`it is of another ${names[part]}`],
  )
  if (from.firmware !== launch.firmwareSha256) problems.push('it is of another firmware than the launch section')
  if (launch.cpuTypes.length * launch.vcpus.length === 0) problems.push('the launch section names no processor')
  for (const cpuType of launch.cpuTypes) {
    for (const vcpus of launch.vcpus) {
      const found = entries.filter((entry) => entry.vcpus === vcpus && entry.cpuType === cpuType)
      if (found.length !== 1) problems.push(`${found.length} digests for ${vcpus} processors of type ${cpuType}`)
    }
  }
  if (new Set(entries.map(({digest}) => digest)).size !== entries.length)
    problems.push('two of its digests are the same')
  return verdictOf(problems, `${entries.length} digests, firmware ${from.firmware}`)
})

/** A second measurement of the same files. */
export const judgeMeasuredAgain = judging<{found: Measurement}>('found')((
  {found},
  {measurement}: {measurement: Measurement},
) => {
  if (measurement.entries.length === 0) return failed('the manifest has no digest')
  if (found.from.firmware !== measurement.from.firmware)
    return failed(`the firmware is another: ${found.from.firmware}, not ${measurement.from.firmware}`)
  const problems = measurement.entries.flatMap(({vcpus, cpuType, digest}) => {
    const again = found.entries.find((entry) => entry.vcpus === vcpus && entry.cpuType === cpuType)?.digest
    return again === digest ? [] : [`${vcpus} processors of type ${cpuType}: ${again ?? 'none'}, not ${digest}`]
  })
  return verdictOf(problems, `${measurement.entries.length} digests`)
})

export interface HostScript {
  name: string
  kind: 'file' | 'missing' | 'other'
  executable: boolean
  /** What bash says of its syntax; empty for nothing. */
  syntax: string
}

export const judgeHostScripts = judging<{scripts: readonly HostScript[]}>('scripts')((
  {scripts},
  {names}: {names: readonly string[]},
) => {
  const problems = names.flatMap((name) => {
    const script = scripts.find((one) => one.name === name)
    if (script === undefined || script.kind === 'missing') return [`${name} is missing`]
    if (script.kind === 'other') return [`${name} is not a file`]
    if (!script.executable) return [`${name} is not executable`]
    return script.syntax === '' ? [] : [`${name} is not a script: ${script.syntax.slice(0, 200)}`]
  })
  return verdictOf(problems, names.join(', '))
})

/** Exit status of install_cc_image.sh --check where the image is whole, and the host cannot run it confidentially. */
const hostLacks = 3

export interface InstallCheck {
  exitCode: number
  stdout: string
  stderr: string
}

export const judgeInstallCheck = judging<InstallCheck>(
  'exitCode',
  'stdout',
  'stderr',
)(({exitCode, stdout, stderr}) => {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '')
  const missing = lines.flatMap((line) => /^missing (\S[^:]*):/.exec(line)?.[1] ?? [])
  const altered = lines.filter((line) => line.startsWith('altered '))
  if (altered.length > 0 || ![0, hostLacks].includes(exitCode))
    return failed([...altered, stderr.split('\n')[0] ?? ''].join('; ') || `it ended with status ${exitCode}`)
  if (lines.length === 0) return failed('install_cc_image.sh --check printed nothing')
  if (exitCode === 0) return passed('the image is whole, and this host can run it confidentially')
  if (missing.length === 0) return failed('install_cc_image.sh --check does not say what the host lacks')
  return passed(`the image is whole; to run it confidentially this host lacks: ${missing.join(', ')}`)
})
