/** What a machine says of itself, without what differs from boot to boot. */
export type GuestState = Readonly<Record<string, unknown>>

const markers = ['CC-BOOT ', 'CC-HARDENED ']

/** The state out of the lines of a console. A line that is no JSON is taken as it is: then it differs. */
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
  const {bytes, ...rest} = partition as Record<string, unknown>
  return rest['mount'] === '/' && rest['integrity'] === 'verity' ? rest : {bytes, ...rest}
}
