export {baseEnvironment, currentUser, findProgram, homeDirectory} from './environment.js'
export {SubprocessError, type SubprocessDetails, type SubprocessFailure} from './error.js'
export {formatCommand} from './format.js'
export {run, type RunOptions, type RunResult} from './run.js'
