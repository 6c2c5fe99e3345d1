export {launchFacts, launchIdentity, planMeasure, type MeasurePlan, type MeasureRequest} from './measure.js'
