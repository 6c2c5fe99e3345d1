export {BaseCommand, globalGroup, type FlagsOf} from './base.js'
export {CcCommand, type CommandContext} from './command.js'
export {configFlags, configOf} from './config-flags.js'
export {namedBy, names, type NamedPath} from './path-flags.js'
