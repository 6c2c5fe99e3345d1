import {bootChecks} from '../checks/boot.js'
import {bootFileChecks} from '../checks/boot-files.js'
import {deviceChecks} from '../checks/devices.js'
import {diskChecks} from '../checks/disk.js'
import {espChecks} from '../checks/esp.js'
import {launchChecks} from '../checks/launch.js'
import {aliasCheck, manifestChecks} from '../checks/manifest.js'
import {packageChecks} from '../checks/packages.js'
import {protectionChecks} from '../checks/protection.js'
import {secretChecks} from '../checks/secrets.js'
import {wrongKeyChecks} from '../checks/wrong-key.js'
import type {ImageSuite} from './test-image.js'

const alias = 'nvcc_image'

/** What makes a base image one. The boots run beside the checks of the files, so those come first. */
export const baseSuite: ImageSuite = {
  title: 'cc-image-test base',
  checks: (subject, boots) => [
    ...manifestChecks(subject),
    aliasCheck(subject, alias),
    ...packageChecks(subject),
    ...diskChecks(subject),
    ...bootFileChecks(subject),
    ...espChecks(subject),
    ...launchChecks(subject),
    ...protectionChecks(subject),
    ...secretChecks(subject, [alias]),
    ...bootChecks(subject, boots),
    ...wrongKeyChecks(boots),
    ...deviceChecks(subject, boots),
  ],
}
