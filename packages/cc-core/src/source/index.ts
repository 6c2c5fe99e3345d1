export {layerStack, parseCatalog, type InstallSource} from './catalog.js'
export {parseDiskInfo, type DiskInfo} from './disk-info.js'
export {describeIso, inspectIso, selectSource, type InspectOptions, type IsoSource} from './inspect.js'
export {listIsoPackages, type IsoPackages} from './packages.js'
