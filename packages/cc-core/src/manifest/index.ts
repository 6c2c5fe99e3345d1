export {
  describeFile,
  encodeManifest,
  parseManifest,
  provenanceName,
  readImageDirectory,
  sha256File,
  sharedPath,
  signatureSuffix,
  type ImageDirectory,
} from './manifest.js'
export {artefactSchema, manifestSchema, type Artefact, type Manifest, type ManifestPartition} from './schema.js'
export {type LaunchFacts, type Measurement} from './measurement.js'
