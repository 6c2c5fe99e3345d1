export {missingTools, preflight} from './preflight.js'
export {installCommand, neededBytes, oldest, tools, uefiStub, type Purpose, type Tool} from './requirements.js'
export {ownSubordinateIdProblem, type HostProblem} from './subordinate-ids.js'
export {userNamespaceProblem} from './user-namespace.js'
