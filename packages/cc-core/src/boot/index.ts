export {bootConf, headerPlace, type BootConfOptions, type VerityParameters} from './boot-conf.js'
export {kernelCommandLine, type CommandLineOptions, type HardenedWords} from './cmdline.js'
export {journalBehind, type Journal} from './in-place.js'
