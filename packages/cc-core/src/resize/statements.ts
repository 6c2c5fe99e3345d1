import {existsSync} from 'node:fs'
import {readFile, rm} from 'node:fs/promises'
import {createHash} from 'node:crypto'

import {atomicWrite} from '../fs/index.js'
import {provenanceName, signatureSuffix, type ImageDirectory} from '../manifest/index.js'

const signaturesOf = (image: ImageDirectory): string[] =>
  ['manifest.json', provenanceName]
    .map((name) => image.file(`${name}${signatureSuffix}`))
    .filter((file) => existsSync(file))

/** What happens to those who vouch for an image, whose manifest is about to change; none where nobody does. */
export function signatureWarnings(image: ImageDirectory): string[] {
  const files = signaturesOf(image)
  if (files.length === 0) return []
  return [
    `${files.join(' and ')} would not fit the new size and will be removed; sign manifest.json and ${provenanceName} again, or install the signed image and resize it then`,
  ]
}

/** Point the provenance at the manifest as it is now, and remove the signatures of what was before. */
export async function renewStatements(image: ImageDirectory, manifestText: string): Promise<void> {
  await Promise.all(signaturesOf(image).map((file) => rm(file)))
  const file = image.file(provenanceName)
  if (!existsSync(file)) return
  const statement = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  const sha256 = createHash('sha256').update(manifestText).digest('hex')
  const subject = [{name: 'manifest.json', digest: {sha256}}]
  await atomicWrite(file, `${JSON.stringify({...statement, subject}, null, 2)}\n`)
}
