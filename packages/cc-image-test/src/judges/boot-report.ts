import {failed, formatBytes, passed, verdictOf} from 'cc-core/report'
import {formatMs} from 'cc-core/ui'
import type {ManifestPartition} from 'cc-core/manifest'
import type {BootReport, BootResult, SettledReport} from 'cc-core/vm'

import {describeExit, shellLines} from './console-text.js'
import {judging} from './evidence.js'

export interface Booted {
  boot: BootResult
  /** What of the boot report can be used. */
  report: Partial<BootReport>
  /** What is wrong with the report; null for nothing. */
  problem: string | null
}

export const judgeBootUp = judging<Booted>(
  'boot',
  'report',
  'problem',
)(({boot, report, problem}, {accelerator}: {accelerator: string}) => {
  if (typeof boot.matched !== 'string') return failed(describeExit(boot))
  if (boot.lines.length === 0) return failed('the console is empty')
  if (!Number.isFinite(boot.ms)) return failed('the boot has no time')
  if (problem !== null || report.seconds === undefined) return failed(problem ?? 'the boot report has no seconds')
  return passed(`after ${formatMs(boot.ms)}, ${report.seconds} s of the guest, under ${accelerator}`)
})

/** A text that the configuration gives. */
export const judgeConfigured = judging<{found: string}>('found')(({found}, {configured}: {configured: string}) =>
  found === configured ? passed(found) : failed(`it is '${found}', configured is '${configured}'`),
)

export const judgeKernel = judging<Pick<BootReport, 'kernel'>>('kernel')((
  {kernel},
  {packages}: {packages: readonly {name: string; version: string}[]},
) => {
  const names = [`linux-image-${kernel}`, `linux-image-unsigned-${kernel}`]
  const found = packages.find(({name}) => names.includes(name))
  return found === undefined
    ? failed(`no package of the manifest is kernel ${kernel}`)
    : passed(`${found.name} ${found.version}`)
})

export interface PartitionExpectation {
  partition: Pick<ManifestPartition, 'name' | 'encryption' | 'integrity' | 'mount'>
  /** Whether a partition that is encrypted on demand may be used without encryption. */
  plainAllowed: boolean
}

export const judgePartition = judging<Pick<BootReport, 'partitions'>>('partitions')((
  {partitions},
  {partition, plainAllowed}: PartitionExpectation,
) => {
  const {name, encryption, integrity, mount} = partition
  const found = partitions.filter((other) => other.name === name)
  const [state] = found
  if (state === undefined || found.length > 1) return failed(`the guest reports it ${found.length} times`)
  const allowed = {
    luks2: ['encrypted'],
    none: ['plain'],
    'on-demand': ['encrypted', plainAllowed ? 'plain' : 'locked'],
  }[encryption]
  const problems = allowed.includes(state.state) ? [] : [`it is ${state.state}, not ${allowed.join(' or ')}`]
  if (state.mount !== mount) problems.push(`it is mounted at ${state.mount}, not at ${mount}`)
  if (state.integrity !== integrity) problems.push(`its integrity is ${state.integrity}, not ${integrity}`)
  if (state.state !== 'locked' && state.bytes === 0) problems.push('nothing is mounted')
  const place = state.state === 'locked' ? 'not mounted' : `${mount}, ${formatBytes(state.bytes)}`
  return verdictOf(problems, `${wordFor(state.state, integrity)}, ${place}`)
})

/** The guest calls what is not encrypted plain; what dm-verity checks is more than that. */
function wordFor(state: string, integrity: string): string {
  if (integrity !== 'verity') return state
  return state === 'plain' ? 'verified' : `${state}, verified`
}

/** ext4 keeps some of a partition for itself. */
const filledShare = 0.9

/** The file system of a partition that grows. What is read-only is of one size. */
export const judgeGrowth = judging<Pick<BootReport, 'partitions'>>('partitions')((
  {partitions},
  {name, size}: {name: string; size: number},
) => {
  const bytes = partitions.find((partition) => partition.name === name)?.bytes
  if (bytes === undefined || !(size > 0)) return failed(`the guest does not report ${name}`)
  const detail = `${formatBytes(bytes)} of ${formatBytes(size)}, ${((100 * bytes) / size).toFixed(1)} %`
  return bytes >= filledShare * size ? passed(detail) : failed(detail)
})

/** A root that is read-only keeps its size: what is seen there is the layer in memory. */
export const judgeFixedRoot = judging<Pick<BootReport, 'partitions'>>('partitions')(({partitions}) => {
  const root = partitions.find(({name}) => name === 'cc-root')
  if (root?.integrity !== 'verity') return failed(`the guest says that its integrity is '${root?.integrity ?? 'none'}'`)
  return passed('it is read-only and of one size; what is written stays in memory')
})

export const judgeSwapOff = judging<Pick<BootReport, 'swap'>>('swap')(({swap}) =>
  swap ? failed('swap is on') : passed('/proc/swaps is empty'),
)

export const judgeTmpfs = judging<Pick<BootReport, 'tmpfs'>>('tmpfs')(({tmpfs}, {paths}: {paths: readonly string[]}) =>
  verdictOf(
    paths.filter((path) => !tmpfs.includes(path)).map((path) => `${path} is not a tmpfs`),
    paths.join(', ') || 'none is configured',
  ),
)

/** What the guest says when its boot has come to its end: units that start late fail late. */
export const judgeUnits = judging<Pick<SettledReport, 'state' | 'failedUnits'>>(
  'state',
  'failedUnits',
)(({state, failedUnits}) => {
  if (failedUnits.length > 0) return failed(failedUnits.map((unit) => `${unit} failed`).join('; '))
  return state === 'running' ? passed('systemd reports none') : failed(`systemd says that the system is '${state}'`)
})

export const judgeBanner = judging<{lines: readonly string[]}>('lines')(({lines}, {profile}: {profile: string}) => {
  const banner = lines.find((line) => line.startsWith('cc: INSECURE DEVELOPMENT IMAGE'))
  if (profile === 'development')
    return banner === undefined ? failed('there is no INSECURE DEVELOPMENT IMAGE') : passed(banner)
  if (banner !== undefined) return failed(`a production image says '${banner}'`)
  return lines.length === 0 ? failed('the console is empty') : passed('no banner: this is a production image')
})

export const judgeNoShell = judging<{lines: readonly string[]}>('lines')(({lines}) =>
  lines.length === 0
    ? failed('the console is empty')
    : verdictOf(shellLines(lines), `${lines.length} lines of console`),
)

const refusal = 'cc: FAILED: cc-root: the key does not open it; powering off'

/** A boot with another key ends with one plain line. */
export const judgeRefusal = judging<{boot: BootResult}>('boot')(({boot}) => {
  const lines = boot.lines.filter((line) => line.includes('cc: FAILED'))
  if (lines.length === 1 && lines[0] === refusal) return passed(refusal)
  return failed(
    lines.length === 0 ? describeExit(boot) : `the console says ${lines.map((line) => `'${line}'`).join(', ')}`,
  )
})

export const judgePowerOff = judging<{boot: BootResult}>('boot')(({boot}) =>
  boot.exit === 'powered-off' && boot.lines.length > 0
    ? passed(`off after ${formatMs(boot.ms)}`)
    : failed(describeExit(boot)),
)
