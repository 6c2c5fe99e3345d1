export {bootConf, headerPlace, type BootConfOptions, type VerityParameters} from './boot-conf.js'
export {imageCommandLine} from './image-cmdline.js'
export {journalBehind, type Journal} from './in-place.js'
