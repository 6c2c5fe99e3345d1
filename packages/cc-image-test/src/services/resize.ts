import {manifestChecks} from '../checks/manifest.js'
import {resizeChecks} from '../checks/resize.js'
import type {ImageSuite} from './test-image.js'

/** What growing means, shown on a copy. */
export const resizeSuite: ImageSuite = {
  title: 'cc-image-test resize',
  checks: (subject, boots) => [...manifestChecks(subject), ...resizeChecks(subject, boots)],
}
