import {policyBits, type Config} from '../config/index.js'
import type {Manifest} from '../manifest/index.js'
import {keyPaths, type KeyOwner} from './paths.js'

/** What is expected of GPUs: none may be there, those that are there must be good, at least one must be there. */
export type GpuRule = 'refused' | 'checked' | 'required'

/** What the policy says of one image. It is a line of the policy, as JSON. */
export interface PolicyEntry {
  /** Paths of its keys, in parts. */
  paths: string[][]
  /** Launch digests, one for each number and type of processors. */
  digests: string[]
  /** What the guest policy of the launch must say. */
  smtAllowed: boolean
  singleSocket: boolean
  minimumTcb: Config['kbs']['policy']['minimumTcb']
  /** HOST_DATA that a launch may have, in hexadecimal; null: any. */
  hostData: string[] | null
  /** Processors that it may run on, in hexadecimal; null: any. */
  chipIds: string[] | null
  gpu: GpuRule
}

/** What of an image its policy depends on. All of it is in the manifest. */
export interface ImageFacts {
  config: Pick<Config, 'layout' | 'kbs' | 'nvidia'>
  owner: KeyOwner
  /** The guest policy that it is launched with. */
  guestPolicy: string
  /** HOST_DATA that a launch may have; none: any. */
  hostData: readonly string[]
  measurement: Manifest['measurement']
}

const has = (policy: string, bit: bigint) => (BigInt(policy) & bit) !== 0n

/**
 * What the policy says of an image. Without an expected measurement it has no digests, and nothing is released.
 * @throws E_CONFIG as keyPaths
 */
export function policyEntry({config, owner, guestPolicy, hostData, measurement}: ImageFacts): PolicyEntry {
  const {minimumTcb, chipIds} = config.kbs.policy
  return {
    paths: keyPaths(config, owner).map(({path}) => path.split('/')),
    digests: [...new Set((measurement?.entries ?? []).map(({digest}) => digest))].sort(),
    smtAllowed: has(guestPolicy, policyBits.smt),
    singleSocket: has(guestPolicy, policyBits.singleSocket),
    minimumTcb,
    hostData: hostData.length === 0 ? null : [...hostData],
    chipIds,
    gpu: config.nvidia.enabled ? 'checked' : 'refused',
  }
}

/** What names an image in the policy: what its keys belong to, so that a new build takes the place of the old one. */
export const imageId = ({image, site}: KeyOwner): string => (site === null ? image : `${image}.${site}`)
