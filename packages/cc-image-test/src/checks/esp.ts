import {existsSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {espName} from 'cc-core/layout'
import {parseManifest, sha256File, type Manifest} from 'cc-core/manifest'
import {failed, passed, verdictOf, type CheckTask, type Verdict} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'

import type {ImageUnderTest} from '../image/under-test.js'

/** The EFI system partition: it starts the very files of the image directory, and describes the same image. */
export function espChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, config, scratch, signal} = subject
  const {manifest} = image
  const partition = manifest.partitions.find(({name}) => name === espName)
  if (partition === undefined) {
    const run = () =>
      config.layout.esp
        ? failed('the image has none, and layout.esp asks for one')
        : passed('there is none, as configured')
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
      run: async () => compareFiles(await opened(), subject),
    },
    {
      id: 'esp-manifest',
      title: 'The ESP describes the same image',
      run: async () => {
        const file = join(await opened(), 'manifest.json')
        const copy = parseManifest(await readFile(file, 'utf8'), 'manifest.json on the ESP')
        return verdictOf(
          manifestDifferences(copy, manifest),
          'the manifest but for sizes of the disk and the hash of the ESP',
        )
      },
    },
  ]
}

async function compareFiles(folder: string, subject: ImageUnderTest): Promise<Verdict> {
  const {manifest} = subject.image
  const problems: string[] = []
  for (const [name, {sha256}] of Object.entries(manifest.artefacts)) {
    if (!existsSync(join(folder, name))) problems.push(`${name} is missing`)
    else if ((await sha256File(join(folder, name))) !== sha256) problems.push(`${name} is another`)
  }
  const headers = join(await subject.sealed(), 'headers')
  const expected = existsSync(headers) ? await readdir(headers) : []
  const found = existsSync(join(folder, 'headers')) ? await readdir(join(folder, 'headers')) : []
  for (const name of expected) {
    if (!found.includes(name)) problems.push(`the LUKS header ${name} is missing`)
    else if ((await sha256File(join(folder, 'headers', name))) !== (await sha256File(join(headers, name))))
      problems.push(`the LUKS header ${name} is not the one of the initrd`)
  }
  const known = [...Object.keys(manifest.artefacts), 'manifest.json', 'headers']
  const unknown = [
    ...(await readdir(folder)).filter((name) => !known.includes(name)),
    ...found.filter((name) => !expected.includes(name)),
  ]
  problems.push(...unknown.map((name) => `${name} is not known`))
  return verdictOf(problems, [...Object.keys(manifest.artefacts), ...expected].join(', '))
}

/** What of the copy is not as in the manifest. A resize changes sizes in the image directory only. */
export function manifestDifferences(copy: Manifest, manifest: Manifest): string[] {
  const [has, wants] = [comparable(copy), comparable(manifest)]
  return Object.keys({...has, ...wants})
    .filter((key) => JSON.stringify(has[key]) !== JSON.stringify(wants[key]))
    .map((key) => `'${key}' differs`)
}

function comparable(manifest: Manifest): Record<string, unknown> {
  const partitions = manifest.partitions.map((partition) => ({
    ...partition,
    ...(partition.name === espName ? {content: null} : {}),
    ...(partition.grow ? {size: 0} : {}),
  }))
  return {...manifest, disk: null, partitions}
}
