export {buildImages, type BuiltImage} from './build.js'
export {workFolders, type WorkFolders} from './folders.js'
export {showPlan, type BuildPlan, type SealPlan} from './plan.js'
export {
  buildTree,
  findProgress,
  planTree,
  runTasks,
  type TreePlan,
  type TreeProgress,
  type TreeRequest,
} from './tree.js'
export {keptGroups, readUnwanted, unwantedPackage, type Unwanted} from './unwanted.js'
export {makeVariant, type VariantRequest} from './variant.js'
