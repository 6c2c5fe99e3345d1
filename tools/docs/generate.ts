// Write the documents that are made from the code: npm run docs.
import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {generateDocuments} from './documents.js'
import {repository} from './repository.js'

for (const {path, text} of await generateDocuments()) {
  await mkdir(dirname(join(repository, path)), {recursive: true})
  await writeFile(join(repository, path), text)
  process.stdout.write(`${path}\n`)
}
