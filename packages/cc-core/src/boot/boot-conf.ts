import type {Layout, Partition} from '../config/index.js'

/** What dm-verity needs to know of a partition; blocks of 4096 bytes. */
export interface VerityParameters {
  rootHash: string
  salt: string
  blocks: number
}

export interface BootConfOptions {
  profile: 'development' | 'production'
  partitions: Layout['partitions']
  /** By partition name, for those with dm-verity. */
  verity: Readonly<Record<string, VerityParameters>>
}

/**
 * boot.conf: what the guest knows about its partitions. It is part of the initrd and thereby measured.
 * The guest's side is scripts/guest/cc/lib/boot-conf.sh, which lists the keys and refuses any other.
 */
export function bootConf({profile, partitions, verity}: BootConfOptions): string {
  const names = Object.keys(partitions).sort((a, b) => Number(b === 'cc-root') - Number(a === 'cc-root'))
  const lines = ['version=1', `profile=${profile}`, `partitions=${names.join(' ')}`]
  for (const name of names) {
    const partition = partitions[name]
    if (partition === undefined) continue
    for (const [key, value] of Object.entries(partitionKeys(name, partition, verity[name]))) {
      if (value !== undefined) lines.push(`${name}.${key}=${value}`)
    }
  }
  return lines.join('\n') + '\n'
}

function partitionKeys(
  name: string,
  partition: Partition,
  verity: VerityParameters | undefined,
): Record<string, string | undefined> {
  const encrypted = partition.encryption !== 'none'
  return {
    mount: partition.mount,
    options: [...mountOptions(name, partition), ...partition.mountOptions].join(','),
    encryption: partition.encryption,
    integrity: partition.integrity,
    header: encrypted ? headerPlace(name, partition) : undefined,
    key: encrypted ? (partition.key ?? undefined) : undefined,
    'key-file': partition.keyFile ?? undefined,
    'plain-allowed': partition.encryption === 'on-demand' ? yesNo(partition.plainAllowed) : undefined,
    grow: yesNo(partition.grow),
    'verity-root-hash': verity?.rootHash,
    'verity-salt': verity?.salt,
    'verity-blocks': verity?.blocks.toString(),
    verify: verity === undefined ? undefined : 'boot',
  }
}

/** Nothing but the root holds programs that may gain privileges, or devices. */
function mountOptions(name: string, {integrity}: Partition): string[] {
  const access = integrity === 'verity' ? ['ro', 'noload'] : ['rw']
  return name === 'cc-root' ? access : [...access, 'nosuid', 'nodev']
}

/**
 * Where the LUKS header of a partition is at boot: with the initrd for what is encrypted at build time, in memory for
 * a key that does not outlive the boot, on the disk (and checked) for what the guest formats and opens again.
 */
export function headerPlace(name: string, {from, key}: Partition): 'initrd' | 'memory' | 'disk' {
  if (name === 'cc-root' || from !== null) return 'initrd'
  return key === 'tee-ephemeral' ? 'memory' : 'disk'
}

const yesNo = (value: boolean) => (value ? 'yes' : 'no')
