import type {Config, KeySource, Partition} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {espName} from './compute.js'
import {filledAtBuild, keyProblems} from './key-check.js'

/** What this version can do; the rest of the configuration's words is for the versions to come. */
export const implemented = {
  keys: [
    'kbs',
    'tee-derived',
    'tee-ephemeral',
    'sealed',
    'key-file',
    'development',
  ] satisfies KeySource[] as KeySource[],
  integrities: ['none', 'verity', 'hmac'] as Partition['integrity'][],
  /** Whether dm-verity may lie under cc-root. */
  verityRoot: true,
}

/** Mount points that belong to the system: what is mounted there hides it, or is hidden by it. */
const reserved = ['/proc', '/sys', '/dev', '/run', '/tmp', '/boot', '/etc', '/usr', '/bin', '/sbin', '/lib', '/lib64']

/**
 * Refuses a layout that contradicts itself or that this version cannot build.
 * @throws CcError E_LAYOUT that names every contradiction with its reason
 */
export function checkLayout(config: Pick<Config, 'profile' | 'layout'>): void {
  const problems = layoutProblems(config)
  if (problems.length === 0) return
  throw new CcError('E_LAYOUT', problems.join('; '), {
    suggestions: ['see the table of partitions in docs/configuration.md'],
  })
}

/** Every contradiction, as `layout.partitions.NAME.KEY: reason`. */
export function layoutProblems({profile, layout}: Pick<Config, 'profile' | 'layout'>): string[] {
  const entries = Object.entries(layout.partitions)
  const problems = entries.flatMap(([name, partition]) =>
    [
      ...keyProblems(name, partition, {profile, layout}),
      ...protection(name, partition),
      ...placement(name, partition),
      ...missing(name, partition),
    ].map(([key, reason]) => `layout.partitions.${name}.${key}: ${reason}`),
  )
  if (!('cc-root' in layout.partitions))
    problems.push("layout.partitions: 'cc-root' is missing: the system has to be somewhere")
  if (espName in layout.partitions)
    problems.push(
      `layout.partitions.${espName}: the EFI system partition is ours; layout.esp says whether there is one`,
    )
  const growing = entries.filter(([, partition]) => partition.grow).map(([name]) => name)
  if (growing.length > 1)
    problems.push(
      `layout.partitions: only one partition can take the rest of the disk, got grow on ${growing.join(', ')}`,
    )
  return [...problems, ...sharedMounts(entries)]
}

type Problem = [key: string, reason: string]

function protection(name: string, partition: Partition): Problem[] {
  const {encryption, integrity, filesystem} = partition
  const filled = filledAtBuild(name, partition)
  const root = name === 'cc-root'
  const checks: [boolean, string, string][] = [
    [
      integrity === 'verity' && !filled,
      'integrity',
      "'verity' is read-only, and this partition has no content: it needs 'from'",
    ],
    [integrity === 'verity' && partition.grow && !root, 'grow', "a 'verity' partition is read-only and cannot grow"],
    [
      filesystem === 'squashfs' && integrity !== 'verity',
      'filesystem',
      "'squashfs' is read-only: it needs integrity 'verity'",
    ],
    [integrity === 'hmac' && encryption === 'none', 'integrity', "'hmac' is a kind of LUKS2: it needs encryption"],
    [
      integrity === 'hmac' && filled,
      'integrity',
      "'hmac' is formatted in the guest, and this partition is filled at build time",
    ],
    [
      encryption === 'on-demand' && filled,
      'encryption',
      "'on-demand' is decided at boot, and this partition is filled at build time",
    ],
    [partition.plainAllowed && encryption !== 'on-demand', 'plainAllowed', "is only for encryption 'on-demand'"],
  ]
  return checks.flatMap(([wrong, field, reason]) => (wrong ? [[field, reason] satisfies Problem] : []))
}

/** What is a valid layout, but not in this version. */
function missing(name: string, {key, integrity}: Partition): Problem[] {
  const later = 'is not available in this version'
  const problems: Problem[] = []
  if (key !== null && !implemented.keys.includes(key))
    problems.push(['key', `'${key}' ${later} (available: ${implemented.keys.join(', ')})`])
  if (!implemented.integrities.includes(integrity)) {
    problems.push(['integrity', `'${integrity}' ${later} (available: ${implemented.integrities.join(', ')})`])
  }
  if (name === 'cc-root' && integrity === 'verity' && !implemented.verityRoot)
    problems.push(['integrity', `'verity' on cc-root ${later}`])
  return problems
}

function placement(name: string, {mount, from}: Partition): Problem[] {
  if ((name === 'cc-root') !== (mount === '/')) return [['mount', `'/' is for cc-root and only there, got '${mount}'`]]
  const problems: Problem[] = []
  const hidden = reserved.find((directory) => isInside(mount, directory))
  if (hidden !== undefined) problems.push(['mount', `'${hidden}' belongs to the system, got '${mount}'`])
  if (from === '/') problems.push(['from', "'/' is the whole tree; choose a directory in it"])
  if (name === 'cc-root' && from !== null) problems.push(['from', `cc-root holds the tree itself, got '${from}'`])
  return problems
}

function sharedMounts(entries: readonly (readonly [string, Partition])[]): string[] {
  return entries.flatMap(([name, {mount}], index) => {
    const first = entries.slice(0, index).find(([, other]) => other.mount === mount)
    return first === undefined ? [] : [`layout.partitions.${name}.mount: '${mount}' is taken by ${first[0]}`]
  })
}

function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
