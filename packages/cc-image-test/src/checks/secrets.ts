import {existsSync} from 'node:fs'
import {lstat, readdir, readFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {provenanceName, signatureSuffix} from 'cc-core/manifest'
import {skipped, type CheckTask} from 'cc-core/report'
import {usesKbs} from 'cc-core/seal'
import {trusteeFileNames} from 'cc-core/trustee'
import {inspectDisk} from 'cc-core/vm'

import {searchFile, writtenForms} from '../image/search.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {judgeFiles, judgeKeysOnlyThere, judgeKeysPrivate, type Keys, type KeySearch} from '../judges/secrets.js'

/** Files for who administers the key broker, in an image directory whose keys come from one. */
const trusteeFiles = [...trusteeFileNames, 'upload.sh', 'revoke.sh'].map((name) => `trustee/${name}`)

/** Keys are in keys/ and nowhere else. */
export function secretChecks(subject: ImageUnderTest, aliases: readonly string[]): CheckTask[] {
  const {image, config} = subject
  const below = usesKbs(config) ? ['trustee/', ...trusteeFiles] : []
  const {artefacts, name} = image.manifest
  const folder = image.file('keys')
  return [
    {
      id: 'keys-private',
      title: 'Keys can be read by their owner only',
      run: async () => {
        if (!existsSync(folder)) return skipped('there is no keys/ in this image directory')
        return judgeKeysPrivate(await keysIn(folder), {folder})
      },
    },
    {
      id: 'keys-only-there',
      title: 'No other file holds a key',
      run: async () => {
        if (!existsSync(folder)) return skipped('there is no keys/ to look for')
        // It may have been handed on to who administers the broker.
        const others = existsSync(image.file('trustee')) && usesKbs(config) ? trusteeFiles : []
        return judgeKeysOnlyThere(await searchKeys(subject, folder), {disk: `${name}.qcow2`, others})
      },
    },
    {
      id: 'files',
      title: 'Nothing unknown is in the image directory',
      run: async () => {
        const disks = [name, ...aliases].map((disk) => `${disk}.qcow2`)
        // These name the others, so no manifest can hold their hashes.
        const statements = ['manifest.json', provenanceName]
        const signatures = statements.map((statement) => `${statement}${signatureSuffix}`)
        const known = [...Object.keys(artefacts), ...statements, ...signatures, 'keys/', ...disks, ...below]
        return judgeFiles({names: (await entriesOf(image.path)).map((entry) => entry.name)}, {known})
      },
    },
  ]
}

async function keysIn(folder: string): Promise<Keys> {
  const entries = []
  for (const name of await readdir(folder)) {
    const entry = await lstat(join(folder, name))
    entries.push({name, mode: entry.mode, isFile: entry.isFile()})
  }
  return {mode: (await lstat(folder)).mode, entries}
}

async function searchKeys(subject: ImageUnderTest, folder: string): Promise<KeySearch> {
  const {image} = subject
  const keys = await readdir(folder)
  const needles: Record<string, Buffer> = {}
  for (const key of keys) Object.assign(needles, writtenForms(`keys/${key}`, await readFile(join(folder, key))))
  const files = (await entriesOf(image.path)).filter(({isFile}) => isFile).map(({name}) => name)
  const found: {file: string; text: string}[] = []
  for (const file of files) for (const text of await searchFile(image.file(file), needles)) found.push({file, text})
  // What the host gets compressed it can read, too.
  const content = await subject.initrdContent()
  for (const text of await searchFile(content, needles)) found.push({file: 'initrd.img, unpacked,', text})
  const {disk, signal} = subject
  const below = (await inspectDisk(disk, signal)).otherFiles
  for (const file of below)
    for (const text of await searchFile(resolve(image.path, file), needles)) found.push({file, text})
  return {keys, files: [...files, 'initrd.img, unpacked', ...below], found}
}

/** What is in an image directory and in its folders, save in keys/; no link is followed. A folder ends with a slash. */
async function entriesOf(image: string, below = ''): Promise<{name: string; isFile: boolean}[]> {
  const entries = await readdir(join(image, below), {withFileTypes: true})
  const found = entries.map(async (entry) => {
    const name = `${below}${entry.name}`
    if (!entry.isDirectory()) return [{name, isFile: entry.isFile()}]
    const folder = {name: `${name}/`, isFile: false}
    return name === 'keys' ? [folder] : [folder, ...(await entriesOf(image, folder.name))]
  })
  return (await Promise.all(found)).flat()
}
