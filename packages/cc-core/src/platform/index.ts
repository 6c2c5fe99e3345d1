export {readIdBlock, type IdBlock} from './id-block.js'
export {launchFacts, launchIdentity, planMeasure, type MeasurePlan, type MeasureRequest} from './measure.js'
export {standInFirmware} from './stand-in-firmware.js'
