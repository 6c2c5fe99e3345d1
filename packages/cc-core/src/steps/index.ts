export {readContract, type StepContract, type StepParameter} from './contract.js'
export {
  hashFiles,
  hashFolder,
  planStep,
  scriptsDirectory,
  stepKeys,
  type PlannedStep,
  type StepOptions,
  type StepValue,
} from './plan.js'
export {
  callStep,
  onceTask,
  stepTask,
  stepTitle,
  writeTask,
  type CallOptions,
  type Task,
  type TaskContext,
} from './task.js'
