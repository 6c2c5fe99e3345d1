export {checkLayout, implemented, layoutProblems} from './check.js'
export {
  alignment,
  computeLayout,
  espName,
  typeGuids,
  type DiskLayout,
  type LayoutRequest,
  type PartitionRequest,
  type PlannedPartition,
} from './compute.js'
export {uuidFromSeed} from './guid.js'
export {filledAtBuild} from './key-check.js'
