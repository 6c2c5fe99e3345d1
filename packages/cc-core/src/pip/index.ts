export {planPip, planRequirements, type PipPlan, type PipRequest, type PlannedRequirements} from './plan.js'
export {readPip, type PipReading} from './read.js'
