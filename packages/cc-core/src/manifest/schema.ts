import {z} from 'zod'

import {launchFactsSchema, measurementSchema} from './measurement.js'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const bytes = z.int().nonnegative()

export const artefactSchema = z.strictObject({sha256, bytes})

const partition = z.strictObject({
  /** GPT name: the identity of the partition, for the guest too. */
  name: z.string(),
  /** Where it lies on the disk, in bytes. */
  start: bytes,
  size: bytes,
  /** Mount point in the guest; "none", as in fstab(5), for the EFI system partition. */
  mount: z.string(),
  encryption: z.enum(['none', 'luks2', 'on-demand']),
  integrity: z.enum(['none', 'verity', 'hmac']),
  /** Where it says nothing it is ext4: there was no other. */
  filesystem: z.enum(['ext4', 'squashfs']).optional(),
  key: z.string().nullable(),
  /** It takes what is left of the disk, also after the disk has grown. At most one does, and it lies last. */
  grow: z.boolean(),
  /** The path of the tree that fills it; "/" for the root, null for what the guest formats. */
  from: z.string().nullable(),
  /** What was written at build time, as it lies on the disk: encrypted, with its hash tree. Null where nothing was. */
  content: artefactSchema.nullable(),
  verity: z.strictObject({rootHash: sha256, salt: sha256, blocks: z.int().positive()}).nullable(),
})

/** manifest.json of an image directory. It holds no secret, and nothing that differs between two builds but the keys. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** Name of the image directory and of the qcow2 in it. */
  name: z.string(),
  stage: z.enum(['base', 'flare', 'hardened']),
  tool: z.string(),
  profile: z.enum(['development', 'production']),
  /** What describes the image: os, boot and layout of cc.yaml. A later stage goes on with it. */
  config: z.record(z.string(), z.unknown()),
  distribution: z.string(),
  source: z.strictObject({kind: z.enum(['iso', 'mirror', 'image']), label: z.string(), sha256: sha256.nullable()}),
  /** Time stamp of everything in the image, in seconds since 1970. */
  sourceDateEpoch: bytes,
  /** Content hash of everything that the image was made from, the keys aside. */
  buildKey: sha256,
  cmdline: z.string(),
  /** How it is launched; an image of an older version does not say. */
  launch: launchFactsSchema.nullish(),
  /** What that launch is expected to measure; null where the firmware was not known when the image was made. */
  measurement: measurementSchema.nullish(),
  initrd: z.strictObject({sealOffset: bytes}),
  disk: z.strictObject({bytes}),
  partitions: z.array(partition),
  /** The file that the disk leans on: the root that it shares with other images. Its folder is that of the disk's layer. */
  shared: z.strictObject({name: z.string(), sha256, bytes}).optional(),
  /** What was applied out of amd.patches, in this order. Target: the package and its version, or the source tree. */
  amd: z
    .array(
      z.strictObject({
        name: z.string(),
        sha256,
        kind: z.enum(['package', 'patch', 'hook']),
        target: z.string().nullable(),
      }),
    )
    .optional(),
  packages: z.array(z.strictObject({name: z.string(), version: z.string(), architecture: z.string()})),
  /**
   * Every other file of the image directory, the keys aside. Not the qcow2: its content is described by partition, so
   * that it can grow in no time however large it is.
   */
  artefacts: z.record(z.string(), artefactSchema),
})

export type Artefact = z.output<typeof artefactSchema>
export type Manifest = z.output<typeof manifestSchema>
export type ManifestPartition = Manifest['partitions'][number]
