export {bootConf, headerPlace, type BootConfOptions, type VerityParameters} from './boot-conf.js'
export {kernelCommandLine, type CommandLineOptions, type HardenedWords} from './cmdline.js'
