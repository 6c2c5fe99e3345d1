// Write the documents that are made from the code: npm run docs.
import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {generateDocuments, repository} from './documents.js'

for (const {path, text} of await generateDocuments()) {
  await mkdir(dirname(join(repository, path)), {recursive: true})
  await writeFile(join(repository, path), text)
  process.stdout.write(`${path}\n`)
}
