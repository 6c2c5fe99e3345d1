import {createHash} from 'node:crypto'

import {filledAtBuild} from '../layout/index.js'
import {imageId, policyEntry, type ImageFacts} from './entry.js'
import {keyPaths} from './paths.js'
import {policyText} from './policy.js'

/** Files of the folder trustee of an image directory that depend on the image. */
export const trusteeFileNames = ['resource-policy.rego', 'reference-values.json', 'resources.json'] as const

export type TrusteeFiles = Record<(typeof trusteeFileNames)[number], string>

/** An image, and where its directory is as seen from the folder that has the folder trustee; there, by default. */
export interface TrusteeImage extends ImageFacts {
  folder?: string
  /** The sha256 of its manifest.json, with `folder`: another image may be there when the keys are sent. */
  manifestSha256?: string
}

/**
 * What an administrator of a key broker needs for images; one for a single image, several for the sites of a run.
 * They hold no key.
 * @returns the texts of the files, by their names
 * @throws E_CONFIG as keyPaths
 */
export function trusteeFiles(images: readonly TrusteeImage[]): TrusteeFiles {
  const entries = Object.fromEntries(images.map((facts) => [imageId(facts.owner), policyEntry(facts)]))
  const digests = [...new Set(Object.values(entries).flatMap((entry) => entry.digests))].sort()
  const policy = policyText(entries)
  return {
    'resource-policy.rego': policy,
    // For an attestation policy that compares them. Ours needs none: the resource policy has the digests.
    'reference-values.json': json({snp_launch_measurement: digests}),
    'resources.json': json({
      version: 1,
      policySha256: createHash('sha256').update(policy).digest('hex'),
      images: images.map((facts) => ({
        id: imageId(facts.owner),
        measured: facts.measurement !== null && facts.measurement !== undefined,
        ...(facts.folder !== undefined &&
          facts.manifestSha256 !== undefined && {folder: facts.folder, manifestSha256: facts.manifestSha256}),
        resources: resources(facts),
      })),
    }),
  }
}

/** Which file of the image directory holds each key. What the guest formats has no key before the first upload makes it. */
const resources = ({config, owner, folder}: TrusteeImage) =>
  keyPaths(config, owner).map(({partition, path}) => {
    const settings = config.layout.partitions[partition]
    const made = settings !== undefined && filledAtBuild(partition, settings) ? 'build' : 'upload'
    return {
      path,
      partition,
      file: `${folder === undefined ? '' : `${folder}/`}keys/${partition.replace(/^cc-/, '')}.key`,
      made,
    }
  })

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
