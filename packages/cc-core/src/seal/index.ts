export {openOutput, outputPaths, type Output, type OutputPaths} from './folder.js'
export {planOpen, type OpenRequest} from './open.js'
export {planSeal, type SealRequest} from './seal.js'
export {sfdiskScript} from './table.js'
