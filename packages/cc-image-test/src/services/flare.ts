import {bootChecks} from '../checks/boot.js'
import {bootFileChecks} from '../checks/boot-files.js'
import {diskChecks} from '../checks/disk.js'
import {espChecks} from '../checks/esp.js'
import {flareChecks} from '../checks/flare.js'
import {launchChecks} from '../checks/launch.js'
import {manifestChecks} from '../checks/manifest.js'
import {packageChecks} from '../checks/packages.js'
import {protectionChecks} from '../checks/protection.js'
import {secretChecks} from '../checks/secrets.js'
import type {ImageSuite} from './test-image.js'

/** What makes a FLARE image one: all that a base image is, and FLARE at work. */
export const flareSuite: ImageSuite = {
  title: 'cc-image-test flare',
  checks: (subject, boots) => [
    ...manifestChecks(subject),
    ...packageChecks(subject),
    ...diskChecks(subject),
    ...bootFileChecks(subject),
    ...espChecks(subject),
    ...launchChecks(subject),
    ...protectionChecks(subject),
    ...secretChecks(subject, []),
    ...bootChecks(subject, boots),
    ...flareChecks(subject, boots),
  ],
}
