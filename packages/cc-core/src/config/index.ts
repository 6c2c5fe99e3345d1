export type {HardeningConfig, PortRule} from './hardening-schema.js'
export {defaultPartitions, encryptions, integrities, keySources} from './layout-schema.js'
export {
  encodeConfig,
  encodeImageConfig,
  loadConfig,
  parseConfig,
  printConfig,
  readYaml,
  type ImageConfig,
} from './load.js'
export {teeDerivedFields} from './keys-schema.js'
export {checkPaths, pathsOf, refuseColon, refusePaths, type HostPath} from './paths.js'
export {configJsonSchema, configReference, referenceRows, type ReferenceRow} from './reference.js'
export {
  configSchema,
  distributions,
  type Config,
  type DistributionId,
  type Encryption,
  type Integrity,
  type KeySource,
  type Layout,
  type Partition,
} from './schema.js'
export {checkSecurity, openTcbParts, securityProblems, securityWarnings} from './security.js'
export {policyBits} from './security-words.js'
export {leastKeyBytes, type PathKind, type PathMeta} from './values.js'
export {formatSize, parseSize} from './size.js'
