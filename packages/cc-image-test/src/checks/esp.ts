import {existsSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {espName} from 'cc-core/layout'
import {parseManifest, sha256File} from 'cc-core/manifest'
import type {CheckTask} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeEspFiles, judgeEspManifest, judgeNoEsp} from '../judges/esp.js'

/** The EFI system partition: it starts the very files of the image directory, and describes the same image. */
export function espChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, config, scratch, signal} = subject
  const {manifest} = image
  const partition = manifest.partitions.find(({name}) => name === espName)
  if (partition === undefined) {
    const run = () => judgeNoEsp(manifest, {wanted: config.layout.esp})
    return [{id: 'esp', title: 'The EFI system partition is as configured', run}]
  }
  let opening: Promise<string> | undefined
  const open = async () => {
    const output = join(scratch, 'esp')
    const esp = await subject.content(partition)
    await callStep(await planStep('boot/open-esp', {esp, output}), {signal})
    return output
  }
  const opened = () => (opening ??= open())
  return [
    {
      id: 'esp-files',
      title: 'The ESP starts the kernel, initrd and command line of the image',
      run: async () => {
        const folder = await opened()
        const files = Object.fromEntries(Object.entries(manifest.artefacts).map(([name, {sha256}]) => [name, sha256]))
        const headers = await hashes(join(await subject.sealed(), 'headers'))
        const {headers: _, ...top} = await hashes(folder)
        return judgeEspFiles({files: top, headers: await hashes(join(folder, 'headers'))}, {files, headers})
      },
    },
    {
      id: 'esp-manifest',
      title: 'The ESP describes the same image',
      run: async () => {
        const text = await readFile(join(await opened(), 'manifest.json'), 'utf8')
        return judgeEspManifest({copy: parseManifest(text, 'manifest.json on the ESP')}, {manifest})
      },
    },
  ]
}

/** sha256 of what is in a folder, by name; a folder in it has none. Nothing where there is no folder. */
async function hashes(folder: string): Promise<Record<string, string>> {
  const entries = existsSync(folder) ? await readdir(folder, {withFileTypes: true}) : []
  const found: Record<string, string> = {}
  for (const entry of entries) found[entry.name] = entry.isFile() ? await sha256File(join(folder, entry.name)) : ''
  return found
}
