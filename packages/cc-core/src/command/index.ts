export {CcCommand, type CommandContext} from './command.js'
