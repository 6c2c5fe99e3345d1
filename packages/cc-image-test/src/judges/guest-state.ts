/** What a machine says of itself, without what differs from boot to boot. */
export type GuestState = Readonly<Record<string, unknown>>

const markers = ['CC-BOOT ', 'CC-HARDENED ']

/** The state out of the lines of a console. A line that is no JSON is taken as it is: `stateProblem` names it. */
export function stateOf(lines: readonly string[]): GuestState {
  const state: Record<string, unknown> = {}
  for (const line of lines) {
    const marker = markers.find((text) => line.startsWith(`${text}{`))
    if (marker === undefined) continue
    const json = line.slice(marker.length)
    for (const [key, value] of Object.entries(parse(json))) state[`${marker.trim()} ${key}`] = value
  }
  return state
}

/**
 * Why a state says nothing: two machines that both say nothing are not alike.
 * @param hardened whether the machine also has to say that it is locked down
 */
export function stateProblem(state: GuestState, hardened: boolean): string | null {
  const cut = markers.filter((marker) => `${marker}text` in state)
  if (cut.length > 0) return `${cut.map((marker) => marker.trim()).join(' and ')} is not JSON`
  const silent = markers.filter((marker) => !(`${marker}version` in state))
  const needed = silent.filter((marker) => hardened || marker === markers[0])
  return needed.length === 0 ? null : `there is no ${needed.map((marker) => marker.trim()).join(' and no ')}`
}

/** What two machines say differently of themselves; null for nothing. */
export function differenceOf(state: GuestState, baseline: GuestState): string | null {
  const keys = [...new Set([...Object.keys(baseline), ...Object.keys(state)])]
  const different = keys
    .map((key) => [key, textOf(baseline[key]), textOf(state[key])] as const)
    .filter(([, before, after]) => before !== after)
    .map(([key, before, after]) => `${key} is ${after}, not ${before}`)
  return different.length === 0 ? null : different.join('; ')
}

const mountsKey = 'CC-HARDENED mounts'
const partitionsKey = 'CC-BOOT partitions'
const tmpfsKey = 'CC-BOOT tmpfs'

/** What the machine says of the disk NAME; undefined for nothing. */
export function mountOf(name: string, {[mountsKey]: mounts}: GuestState): unknown {
  return typeof mounts === 'object' && mounts !== null ? (mounts as Record<string, unknown>)[name] : undefined
}

/**
 * What the machine says of its data disks is another thing with a disk than without; all else has to be the same.
 * @param allowed what it may say of the disk NAME
 */
export const exceptMount =
  (name: string, allowed: readonly unknown[]) =>
  (state: GuestState, baseline: GuestState): string | null => {
    // Only a hardened image says so; no other looks at such a disk.
    if (baseline[mountsKey] === undefined) return differenceOf(state, baseline)
    const found = mountOf(name, state)
    if (found === undefined || !allowed.includes(found)) return `${name} is ${textOf(found)}`
    const before = name === 'output' && found === 'disk-plain' ? withoutHeldOutput(baseline) : baseline
    return differenceOf({...state, [mountsKey]: baseline[mountsKey]}, before)
  }

/**
 * Where a cc-out is locked, a file system in memory holds its place, and gives way to the disk that the host offers for
 * the output: a state without that one.
 */
function withoutHeldOutput(state: GuestState): GuestState {
  const [partitions, tmpfs] = [state[partitionsKey], state[tmpfsKey]]
  if (!Array.isArray(partitions) || !Array.isArray(tmpfs)) return state
  const output = (partitions as {name?: unknown; mount?: unknown}[]).find(({name}) => name === 'cc-out')
  return {...state, [tmpfsKey]: tmpfs.filter((path) => path !== output?.mount)}
}

const textOf = (value: unknown) => (value === undefined ? 'missing' : JSON.stringify(value))

function parse(json: string): Record<string, unknown> {
  try {
    const {seconds: _, tmpfs, partitions, ...rest} = JSON.parse(json) as Record<string, unknown>
    return {
      ...rest,
      ...(Array.isArray(partitions) && {partitions: partitions.map(sized)}),
      ...(Array.isArray(tmpfs) && {tmpfs: stable(tmpfs)}),
    }
  } catch {
    return {text: json}
  }
}

/** In what order systemd mounts, and for which service it keeps a folder of credentials, is chance. */
const stable = (paths: unknown[]) =>
  paths
    .map(String)
    .filter((path) => !path.startsWith('/run/credentials/') && !path.startsWith('/run/user/'))
    .sort()

/** What is written to a root that is only read lies in memory, of which each boot has a few pages more or less. */
function sized(partition: unknown): unknown {
  if (typeof partition !== 'object' || partition === null) return partition
  const {bytes, ...rest} = partition as Record<string, unknown>
  return rest['mount'] === '/' && rest['integrity'] === 'verity' ? rest : {bytes, ...rest}
}
