export {buildImage, imageKey, planOwn, showPlan, type BuildResult, type ImageBuild} from './build.js'
export {workFolders, type WorkFolders} from './folders.js'
export {sealIdentity} from './identity.js'
export {lock} from './lock.js'
export {
  buildTree,
  findProgress,
  planTree,
  runTasks,
  type TreePlan,
  type TreeProgress,
  type TreeRequest,
} from './tree.js'
export {noteUnfinished, removeSecrets, removeUnfinished} from './unfinished.js'
export {keptGroups, readUnwanted, unwantedPackage, type Unwanted} from './unwanted.js'
export {makeVariant, type VariantRequest} from './variant.js'
