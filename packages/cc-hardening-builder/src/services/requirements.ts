import {existsSync, statSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {CcError} from 'cc-core/errors'
import type {ImageDirectory} from 'cc-core/manifest'

/**
 * Where the requirements of the application are.
 * @param given a file, or the folder of a requirements.txt; null: the folder `cwd`
 * @throws E_CONFIG that names every place where there is none
 */
export function findRequirements(given: string | null, cwd: string): string {
  const place = resolve(cwd, given ?? '.')
  const file = existsSync(place) && statSync(place).isDirectory() ? join(place, 'requirements.txt') : place
  if (existsSync(file) && statSync(file).isFile()) return file
  throw new CcError('E_CONFIG', `there is no requirements.txt: looked for '${file}'`, {
    suggestions: ['name the file, or its folder: --requirements FILE', 'run the command where requirements.txt is'],
  })
}

/**
 * The FLARE of an image, by the name of its package. pip may not replace it: what starts FLARE is of that version.
 * Where the list of Python packages was not kept beside the image, the step alone compares them.
 */
export async function installedFlare(image: ImageDirectory): Promise<Record<string, string>> {
  const file = image.file('python.json')
  if (!existsSync(file)) return {}
  const packages = JSON.parse(await readFile(file, 'utf8')) as {name: string; version: string}[]
  return Object.fromEntries(
    packages.filter(({name}) => /^nvflare([-_.].*)?$/i.test(name)).map(({name, version}) => [name, version]),
  )
}
