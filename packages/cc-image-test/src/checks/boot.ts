import type {ManifestPartition} from 'cc-core/manifest'
import {failed, formatBytes, passed, skipped, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'
import {formatMs} from 'cc-core/ui'
import {parseBootReport, type BootReport, type BootResult} from 'cc-core/vm'

import type {Boots} from '../image/boots.js'
import {describeExit, shellLines} from '../judges/console-text.js'
import type {ImageUnderTest} from '../image/under-test.js'

/** Everything that one real boot shows. */
export function bootChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {image, config} = subject
  const {manifest} = image
  /** A check of the console, for as long as there is one. */
  const ofBoot = (id: string, title: string, judge: (boot: BootResult) => Verdict): CheckTask => ({
    id,
    title,
    run: async (onLine) => {
      if (boots.impossible !== null) return skipped(boots.impossible)
      return judge(await boots.withKey(onLine))
    },
  })
  /** A check of what the guest reports. Without a report there is one failure, not twelve. */
  const ofReport = (id: string, title: string, judge: (report: BootReport) => Verdict): CheckTask =>
    ofBoot(id, title, ({matched}) => {
      if (matched === null) return skipped('the boot did not come so far: see boot-up')
      return judge(parseBootReport(matched))
    })
  const same = (found: string, expected: string) =>
    found === expected ? passed(found) : failed(`it is '${found}', configured is '${expected}'`)

  return [
    {
      id: 'boot-up',
      title: 'It boots until every partition is open',
      run: async (onLine) => {
        if (boots.impossible !== null) return skipped(boots.impossible)
        const boot = await boots.withKey(onLine)
        if (boot.matched === null) return failed(describeExit(boot))
        const {seconds} = parseBootReport(boot.matched)
        const {accelerator, reason} = await boots.accelerator()
        return passed(
          `after ${formatMs(boot.ms)}, ${seconds} s of the guest, under ${accelerator.toUpperCase()} (${reason})`,
        )
      },
    },
    ofReport('boot-profile', 'The guest runs the profile of the manifest', ({profile}) =>
      same(profile, manifest.profile),
    ),
    ofReport('boot-kernel', 'The running kernel is an installed package', ({kernel}) => {
      const found = manifest.packages.find(({name}) => kernelPackages(kernel).includes(name))
      return found === undefined
        ? failed(`no package of the manifest is kernel ${kernel}`)
        : passed(`${found.name} ${found.version}`)
    }),
    ofReport('boot-hostname', 'The host name is as configured', ({hostname}) => same(hostname, config.os.hostname)),
    ofReport('boot-locale', 'The locale is as configured', ({locale}) => same(locale, config.os.locale)),
    ofReport('boot-timezone', 'The time zone is as configured', ({timezone}) => same(timezone, config.os.timezone)),
    ...manifest.partitions
      .filter(isMounted)
      .map((partition) =>
        ofReport(`boot-${partition.name}`, `${partition.name} is ${expectedState(partition)}`, (report) =>
          judgePartition(partition, report, config.layout.partitions[partition.name]?.plainAllowed === true),
        ),
      ),
    ofReport('boot-growth', 'The root file system fills its partition', (report) =>
      judgeGrowth(manifest.partitions, report),
    ),
    ofReport('boot-swap', 'Swap is off', ({swap}) => (swap ? failed('swap is on') : passed('/proc/swaps is empty'))),
    ofReport('boot-tmpfs', 'Temporary files are in memory', ({tmpfs}) => {
      const wanted = config.os.tmpfs.map(({path}) => path)
      return verdictOf(
        wanted.filter((path) => !tmpfs.includes(path)).map((path) => `${path} is not a tmpfs`),
        wanted.join(', '),
      )
    }),
    ofReport('boot-units', 'No unit failed', ({failedUnits}) =>
      verdictOf(
        failedUnits.map((unit) => `${unit} failed`),
        'systemd reports none',
      ),
    ),
    ofBoot('boot-banner', 'The console says what kind of image it is', ({lines}) =>
      judgeBanner(lines, manifest.profile),
    ),
    ofBoot('boot-no-shell', 'The console offers no emergency shell', ({lines}) =>
      verdictOf(shellLines(lines), `${lines.length} lines of console`),
    ),
  ]
}

const kernelPackages = (release: string) => [`linux-image-${release}`, `linux-image-unsigned-${release}`]

/** The guest knows nothing of the EFI system partition. */
const isMounted = ({mount}: ManifestPartition) => mount !== 'none'

function expectedState({encryption, integrity, mount}: ManifestPartition): string {
  if (encryption === 'on-demand') return 'locked without its key'
  return `${[encryption === 'luks2' && 'encrypted', integrity === 'verity' && 'verified'].filter(Boolean).join(', ') || 'plain'} at ${mount}`
}

function judgePartition(partition: ManifestPartition, {partitions}: BootReport, plainAllowed: boolean): Verdict {
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
}

/** The guest calls what is not encrypted plain; what dm-verity checks is more than that. */
function wordFor(state: string, integrity: string): string {
  if (integrity !== 'verity') return state
  return state === 'plain' ? 'verified' : `${state}, verified`
}

/** ext4 keeps some of a partition for itself. */
const filledShare = 0.9

function judgeGrowth(partitions: readonly ManifestPartition[], report: BootReport): Verdict {
  const root = partitions.find(({name}) => name === 'cc-root')
  // What is seen there is the layer in memory.
  if (root?.verity != null) return passed('it is read-only and of one size; what is written stays in memory')
  const size = root?.size ?? 0
  const bytes = report.partitions.find(({name}) => name === 'cc-root')?.bytes ?? 0
  const detail = `${formatBytes(bytes)} of ${formatBytes(size)}, ${((100 * bytes) / size).toFixed(1)} %`
  return bytes >= filledShare * size ? passed(detail) : failed(detail)
}

function judgeBanner(lines: readonly string[], profile: string): Verdict {
  const banner = lines.find((line) => line.startsWith('cc: INSECURE DEVELOPMENT IMAGE'))
  if (profile === 'development')
    return banner === undefined ? failed('there is no INSECURE DEVELOPMENT IMAGE') : passed(banner)
  return banner === undefined
    ? passed('no banner: this is a production image')
    : failed(`a production image says '${banner}'`)
}
