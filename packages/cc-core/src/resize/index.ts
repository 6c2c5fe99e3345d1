export {readDiskSize, readGrowingSize} from './disk.js'
export {growImage, type GrowContext, type GrowResult} from './grow.js'
export {planGrow, showGrow, type Growth, type GrowPlan, type GrowRequest} from './plan.js'
