import {SubprocessError, run} from 'cc-core/exec'

/** Anything that is not an object reads as one without keys. */
type Tree = Readonly<Record<string, unknown>>
const tree = (value: unknown): Tree => (typeof value === 'object' && value !== null ? (value as Tree) : {})

const cipher = 'aes-xts-plain64'

/** What of a detached LUKS2 header is not of the form that scripts/disk/make-luks-header.sh makes. */
export async function luksProblems(header: string, signal?: AbortSignal): Promise<string[]> {
  let text: string
  try {
    const argv = ['cryptsetup', 'luksDump', '--disable-locks', '--dump-json-metadata', header]
    text = (await run(argv, {collect: true, ...(signal && {signal})})).stdout
  } catch (error) {
    if (!(error instanceof SubprocessError) || error.kind !== 'exited') throw error
    return ['cryptsetup cannot read it']
  }
  return metadataProblems(JSON.parse(text))
}

/** The same of the JSON metadata alone (LUKS2 On-Disk Format Specification, chapter 3). */
export function metadataProblems(json: unknown): string[] {
  const {keyslots, segments, tokens, digests, config} = tree(json)
  const problems = [
    ...onlyOne('keyslot', tree(keyslots), keyslotProblems),
    ...onlyOne('segment', tree(segments), segmentProblems),
    ...onlyOne('digest', tree(digests), () => []),
  ]
  if (Object.keys(tree(tokens)).length > 0) problems.push('it has tokens')
  // Flags weaken the opening, requirements say that a conversion is under way.
  for (const key of ['flags', 'requirements']) if (tree(config)[key] !== undefined) problems.push(`it has ${key}`)
  return problems
}

function onlyOne(name: string, entries: Tree, check: (entry: Tree) => string[]): string[] {
  const all = Object.values(entries)
  return all.length === 1 ? check(tree(all[0])) : [`it has ${all.length} ${name}s`]
}

function keyslotProblems(keyslot: Tree): string[] {
  return different('keyslot', {
    type: [keyslot['type'], 'luks2'],
    'key size': [keyslot['key_size'], 64],
    'area encryption': [tree(keyslot['area'])['encryption'], cipher],
    'area key size': [tree(keyslot['area'])['key_size'], 64],
  })
}

function segmentProblems(segment: Tree): string[] {
  return different('segment', {
    type: [segment['type'], 'crypt'],
    encryption: [segment['encryption'], cipher],
    offset: [segment['offset'], '0'],
    size: [segment['size'], 'dynamic'],
    'sector size': [segment['sector_size'], 4096],
    integrity: [segment['integrity'], undefined],
    flags: [segment['flags'], undefined],
  })
}

function different(what: string, values: Readonly<Record<string, readonly [unknown, unknown]>>): string[] {
  return Object.entries(values)
    .filter(([, [found, expected]]) => found !== expected)
    .map(([name, [found]]) => `${what}: the ${name} is ${found === undefined ? 'missing' : JSON.stringify(found)}`)
}
