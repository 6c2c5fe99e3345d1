import type {Config, Layout, Partition} from '../config/index.js'
import {keyPath, type KeyOwner} from '../trustee/index.js'
import {keySettings} from './key-settings.js'

/** What dm-verity needs to know of a partition; blocks of 4096 bytes. */
export interface VerityParameters {
  rootHash: string
  salt: string
  blocks: number
}

export interface BootConfOptions {
  profile: 'development' | 'production'
  /** The kernel command line: the initrd powers off where the kernel was started with another. */
  cmdline: string
  partitions: Layout['partitions']
  /** By partition name, for those with dm-verity. */
  verity: Readonly<Record<string, VerityParameters>>
  /** Upper bound of the writable layer over a cc-root with dm-verity, as `size` of tmpfs(5). */
  overlaySize: string
  /** By partition name, for those that the guest encrypts in place: offset of the journal in bytes. */
  journals?: Readonly<Record<string, number>>
  kbs: Config['kbs']
  /** What the keys belong to: it is part of their paths at the broker. */
  owner: KeyOwner
  teeDerived: Config['teeDerived']
}

/**
 * boot.conf: what the guest knows about its partitions. It is part of the initrd and thereby measured.
 * The guest's side is scripts/guest/cc/lib/boot-conf.sh, which lists the keys and refuses any other.
 * @throws E_CONFIG where the path of a key is not one that the broker accepts
 */
export function bootConf(options: BootConfOptions): string {
  const {profile, cmdline, partitions, verity, overlaySize, journals = {}, kbs, owner} = options
  const names = Object.keys(partitions).sort((a, b) => Number(b === 'cc-root') - Number(a === 'cc-root'))
  const lines = ['version=1', `profile=${profile}`, `cmdline=${cmdline}`, `partitions=${names.join(' ')}`]
  for (const [key, value] of Object.entries(keySettings(options))) lines.push(`${key}=${value}`)
  for (const name of names) {
    const partition = partitions[name]
    if (partition === undefined) continue
    const own = {
      ...partitionKeys(name, partition, verity[name], overlaySize),
      'journal-offset': journals[name]?.toString(),
      'kbs-resource': partition.key === 'kbs' ? keyPath(kbs, name, owner) : undefined,
    }
    for (const [key, value] of Object.entries(own)) {
      if (value !== undefined) lines.push(`${name}.${key}=${value}`)
    }
  }
  return lines.join('\n') + '\n'
}

function partitionKeys(
  name: string,
  partition: Partition,
  verity: VerityParameters | undefined,
  overlaySize: string,
): Record<string, string | undefined> {
  const encrypted = partition.encryption !== 'none'
  const root = name === 'cc-root'
  return {
    mount: partition.mount,
    // ext4 goes without saying: images of older versions have no other.
    filesystem: partition.filesystem === 'ext4' ? undefined : partition.filesystem,
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
    // Every block is checked when it is read. What only an application reads is also read once at boot, so that it is
    // not found to be altered in the middle of its work; the root would take as long as the machine to start.
    verify: verity === undefined || root ? undefined : 'boot',
    'overlay-size': verity !== undefined && root ? overlaySize : undefined,
  }
}

/** Nothing but the root holds programs that may gain privileges, or devices. */
function mountOptions(name: string, {filesystem, integrity, encryption, plainAllowed}: Partition): string[] {
  // Metadata that fail their authentication were altered: that is the end, not a file system that is read on.
  const readOnly = filesystem === 'ext4' ? ['ro', 'noload'] : ['ro']
  const access = integrity === 'verity' ? readOnly : integrity === 'hmac' ? ['rw', 'errors=panic'] : ['rw']
  // A link of a file system that the host can write would lead whoever follows it to files of the guest.
  const hostWrites = integrity !== 'verity' && (encryption === 'none' || (encryption === 'on-demand' && plainAllowed))
  const own = hostWrites ? ['nosuid', 'nodev', 'nosymfollow'] : ['nosuid', 'nodev']
  return name === 'cc-root' ? access : [...access, ...own]
}

/**
 * Where the LUKS header of a partition is at boot: with the initrd for what is encrypted at build time, in memory for
 * a key that does not outlive the boot, on the disk (and checked) for what the guest formats and opens again. There is
 * none where the guest encrypts in place what was filled at build time: its key exists in the guest only.
 */
export function headerPlace(name: string, {from, key}: Partition): 'initrd' | 'memory' | 'disk' | 'none' {
  if (name === 'cc-root' || from !== null) return key === 'tee-derived' ? 'none' : 'initrd'
  return key === 'tee-ephemeral' ? 'memory' : 'disk'
}

const yesNo = (value: boolean) => (value ? 'yes' : 'no')
