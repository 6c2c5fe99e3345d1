export {chooseAccelerator, type AcceleratorChoice, type AcceleratorOptions} from './accelerator.js'
export {
  bootAndWatch,
  watchMachine,
  type BootExit,
  type BootOptions,
  type BootResult,
  type WatchOptions,
} from './boot.js'
export {isBootReport, parseBootReport, readBootReport, type BootReport} from './boot-report.js'
export {isSettledReport, readSettledReport, type SettledReport} from './boot-report.js'
export {inspectDisk, readPartitionTable, type DiskInfo, type PartitionTable} from './disk.js'
export {developmentKeys} from './keys.js'
export {qemuCommand, type Accelerator, type VmDisk, type VmOptions} from './qemu-command.js'
