export {bootConf, headerPlace, type BootConfOptions, type VerityParameters} from './boot-conf.js'
export {imageCommandLine} from './image-cmdline.js'
export {
  decodeCommandLine,
  encodeCommandLine,
  kernelCommandLine,
  type CommandLineOptions,
  type HardenedWords,
} from './cmdline.js'
export {journalBehind, type Journal} from './in-place.js'
