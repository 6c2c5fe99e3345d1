import type {Config, Partition} from '../config/index.js'

type Problem = [key: string, reason: string]

/** Whether the partition is filled when the image is sealed. Otherwise it is made in the guest. */
export function filledAtBuild(name: string, partition: Partition): boolean {
  return name === 'cc-root' || partition.from !== null
}

/** Contradictions between a key source and what it is to open. */
export function keyProblems(
  name: string,
  partition: Partition,
  {profile, layout}: Pick<Config, 'profile' | 'layout'>,
): Problem[] {
  const {encryption, integrity, key, keyFile} = partition
  const filled = filledAtBuild(name, partition)
  const root = name === 'cc-root'
  const rootKey = layout.partitions['cc-root']?.key ?? null
  const checks: [boolean, string, string][] = [
    [encryption === 'none' && key !== null, 'key', `without encryption there is nothing to open, got '${String(key)}'`],
    [encryption !== 'none' && key === null, 'key', `encryption '${encryption}' needs a key source`],
    [
      key === 'tee-ephemeral' && filled,
      'key',
      "'tee-ephemeral' is made anew at each boot and cannot open content of build time",
    ],
    [
      key === 'tee-derived' && filled && integrity !== 'verity',
      'integrity',
      "'tee-derived' exists in the guest only, which encrypts what it is shipped in the clear: that needs 'verity'",
    ],
    [
      key === 'sealed' && !filled,
      'key',
      "'sealed' is made at build time, for content that is there then: it needs 'from'",
    ],
    [key === 'sealed' && root, 'key', "'sealed' lies inside cc-root and cannot open it"],
    [
      key === 'sealed' && !root && rootKey !== 'kbs' && rootKey !== 'development',
      'key',
      `'sealed' lies inside cc-root, which has to be encrypted at build time, with 'kbs'; its key is '${rootKey ?? 'none'}'`,
    ],
    [key === 'key-file' && root, 'key', "'key-file' lies inside cc-root and cannot open it"],
    [
      key === 'key-file' && filled && !root,
      'key',
      "'key-file' is for what the guest formats, and this is filled at build time",
    ],
    [key === 'key-file' && keyFile === null, 'keyFile', "the key source 'key-file' needs the path of the file"],
    [
      key !== 'key-file' && keyFile !== null,
      'keyFile',
      `is only for the key source 'key-file', got '${String(keyFile)}'`,
    ],
    [
      key === 'development' && profile === 'production',
      'key',
      "'development' protects nothing; profile 'production' refuses it",
    ],
    [
      encryption === 'on-demand' && key !== null && key !== 'key-file',
      'key',
      `'on-demand' looks whether a key file is there, got '${String(key)}'`,
    ],
  ]
  return checks.flatMap(([wrong, field, reason]) => (wrong ? [[field, reason] satisfies Problem] : []))
}
