import {z} from 'zod'

import {guestPath, size, tmpfsSize} from './values.js'

export const encryptions = ['none', 'luks2', 'on-demand'] as const
export const integrities = ['none', 'verity', 'hmac'] as const
export const filesystems = ['ext4', 'squashfs'] as const
export const keySources = ['kbs', 'tee-derived', 'tee-ephemeral', 'sealed', 'key-file', 'development'] as const

export const partitionSchema = z.strictObject({
  mount: guestPath.describe('Where it is mounted in the guest; `/` for `cc-root` and only there.'),
  size: size.nullable().prefault(null).describe('Size of the partition; null = what its content needs.'),
  encryption: z
    .enum(encryptions)
    .default('none')
    .describe('`luks2` always; `on-demand`: decided at boot, LUKS2 if a key is there.'),
  integrity: z
    .enum(integrities)
    .default('none')
    .describe('`verity`: read-only, each block checked by dm-verity; `hmac`: authenticated LUKS2.'),
  filesystem: z
    .enum(filesystems)
    .default('ext4')
    .describe('File system; `squashfs` is compressed and read-only, for a partition with `verity`.'),
  compressionLevel: z
    .int()
    .min(1)
    .max(22)
    .default(1)
    .describe('Level of zstd, for `squashfs`: a higher one takes longer and gives a smaller image.'),
  key: z
    .enum(keySources)
    .nullable()
    .default(null)
    .describe('Where the key comes from at boot; null without encryption.'),
  keyFile: guestPath
    .nullable()
    .default(null)
    .describe('File in the guest that holds the key, for the key source `key-file`.'),
  grow: z.boolean().default(false).describe('It takes the rest of the disk; one partition at most.'),
  from: guestPath.nullable().default(null).describe('Directory of the tree whose content fills it at seal.'),
  plainAllowed: z
    .boolean()
    .default(false)
    .describe('With `on-demand`: without a key at boot, use it unencrypted; otherwise that is an error.'),
  mountOptions: z
    .array(z.string().regex(/^[\w.=:/%+-]+$/, 'expected one mount option'))
    .default([])
    .describe('Further mount options.'),
})

export const partitionName = z
  .string()
  .regex(/^cc-[a-z0-9-]{1,30}$/, 'expected a name like cc-data: "cc-", then 1 to 30 of a-z, 0-9 and "-"')

/** The layout when nothing is configured; a configured partition of the same name changes only the keys it names. */
export const defaultPartitions: Readonly<Record<string, z.input<typeof partitionSchema>>> = {
  'cc-root': {mount: '/', encryption: 'luks2', key: 'development', grow: true},
  'cc-app': {mount: '/mnt/cc/app', size: '256M', encryption: 'luks2', key: 'tee-ephemeral'},
  'cc-ro': {mount: '/mnt/cc/ro', integrity: 'verity', from: '/opt/cc/ro'},
  'cc-out': {
    mount: '/mnt/cc/out',
    size: '128M',
    encryption: 'on-demand',
    key: 'key-file',
    keyFile: '/etc/cc/keys/out.key',
  },
}

export const layoutSchema = z.strictObject({
  size: size.nullable().prefault(null).describe('Size of the disk; null = the smallest that fits.'),
  esp: z
    .boolean()
    .default(true)
    .describe('Whether base and FLARE images get an EFI system partition, for starting under plain UEFI firmware.'),
  overlaySize: tmpfsSize
    .default('50%')
    .describe('Memory for what is written to a `cc-root` with `verity`: at most this; lost when the machine stops.'),
  partitions: z
    .record(partitionName, partitionSchema)
    .describe('Partitions by their GPT name. They change and add to the defaults; null takes a default one away.'),
})
