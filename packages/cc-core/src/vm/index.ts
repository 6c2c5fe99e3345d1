export {chooseAccelerator, type AcceleratorChoice, type AcceleratorOptions} from './accelerator.js'
export {bootAndWatch, type BootExit, type BootOptions, type BootResult} from './boot.js'
export {qemuCommand, type Accelerator, type VmDisk, type VmOptions} from './qemu-command.js'
