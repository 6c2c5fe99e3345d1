// Open an image into a new folder: node --import tsx open.ts IMAGE WORK. For bench.ts; there is no command for it yet.
import {join} from 'node:path'

import {readImageDirectory} from 'cc-core/manifest'
import {planOpen} from 'cc-core/seal'
import {runTasks} from 'cc-core/build'
import {SilentReporter} from 'cc-core/ui'

const [image = '', work = ''] = process.argv.slice(2)
const directory = await readImageDirectory(image)
const request = {image: directory, rootKey: directory.file('keys/root.key'), tree: join(work, 'tree')}
await runTasks(await planOpen(request, join(work, 'scratch')), {
  reporter: new SilentReporter(),
  logDir: join(work, 'logs'),
})
