export {
  describeFile,
  findAltered,
  readImageDirectory,
  sha256File,
  verifyImageDirectory,
  type ImageDirectory,
} from './manifest.js'
export {manifestSchema, type Manifest, type ManifestPartition} from './schema.js'
