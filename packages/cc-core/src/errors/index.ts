export {codes, exits, isErrorCode, type ErrorCode} from './codes.js'
export {CcError, fromStepOutput, toCcError, type CcErrorOptions} from './error.js'
