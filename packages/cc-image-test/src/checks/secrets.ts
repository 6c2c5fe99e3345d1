import {existsSync} from 'node:fs'
import {lstat, readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {passed, skipped, verdictOf, type CheckTask} from 'cc-core/report'

import {searchFile, writtenForms} from '../image/search.js'
import type {ImageUnderTest} from '../image/under-test.js'

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0')

/** Keys are in keys/ and nowhere else. */
export function secretChecks(subject: ImageUnderTest, aliases: readonly string[]): CheckTask[] {
  const {image} = subject
  const folder = image.file('keys')
  return [
    {
      id: 'keys-private',
      title: 'Keys can be read by their owner only',
      run: async () => {
        if (!existsSync(folder)) return skipped('there is no keys/ in this image directory')
        const {mode} = await lstat(folder)
        const problems = (mode & 0o077) === 0 ? [] : [`keys/ has mode ${octal(mode)}`]
        const names = await readdir(folder)
        for (const name of names) {
          const entry = await lstat(join(folder, name))
          if (!entry.isFile()) problems.push(`keys/${name} is no file`)
          else if ((entry.mode & 0o177) !== 0) problems.push(`keys/${name} has mode ${octal(entry.mode)}`)
        }
        return problems.length === 0
          ? passed(`keys/ ${octal(mode)}: ${names.join(', ')}`)
          : {...verdictOf(problems, ''), fix: `chmod 700 '${folder}' && chmod 600 '${folder}'/*`}
      },
    },
    {
      id: 'keys-only-there',
      title: 'No other file holds a key',
      run: async () => {
        if (!existsSync(folder)) return skipped('there is no keys/ to look for')
        const needles: Record<string, Buffer> = {}
        for (const name of await readdir(folder)) {
          Object.assign(needles, writtenForms(`keys/${name}`, await readFile(join(folder, name))))
        }
        const files = await filesOf(image.path)
        const found: string[] = []
        for (const name of files) {
          found.push(...(await searchFile(image.file(name), needles)).map((what) => `${name} holds ${what}`))
        }
        return verdictOf(found, `searched as bytes, hexadecimal and base64: ${files.join(', ')}`)
      },
    },
    {
      id: 'files',
      title: 'Nothing unknown is in the image directory',
      run: async () => {
        const {artefacts, name} = image.manifest
        const known = [
          ...Object.keys(artefacts),
          'manifest.json',
          'keys',
          ...[name, ...aliases].map((disk) => `${disk}.qcow2`),
        ]
        const unknown = (await readdir(image.path)).filter((entry) => !known.includes(entry))
        return verdictOf(
          unknown.map((entry) => `${entry} is not described by the manifest`),
          `${known.length} entries`,
        )
      },
    },
  ]
}

/** The files of a folder itself; neither links, nor what is in its folders. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, {withFileTypes: true})
  return entries.filter((entry) => entry.isFile()).map(({name}) => name)
}
