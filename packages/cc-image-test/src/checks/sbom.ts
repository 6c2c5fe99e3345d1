import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {runTasks} from 'cc-core/build'
import type {CheckTask} from 'cc-core/report'
import {planOpen, rootKeyOf} from 'cc-core/seal'
import {componentsOf} from 'cc-core/sbom'
import {callStep, planStep, scriptsDirectory} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeSbom, type Software} from '../judges/sbom.js'

/** Opens the image: it takes as long as a later stage does for that. */
export function sbomChecks(subject: ImageUnderTest): CheckTask[] {
  return [
    {
      id: 'sbom',
      title: 'The SBOM lists what is in the image, and every program belongs to something that it lists',
      run: async () => judgeSbom(await softwareOf(subject)),
    },
  ]
}

async function softwareOf({image, scratch, signal}: ImageUnderTest): Promise<Software> {
  const tree = join(scratch, 'sbom-tree')
  const open = await planOpen({image, rootKey: rootKeyOf(image, null), tree}, join(scratch, 'sbom-open'))
  try {
    await runTasks(open, {reporter: new SilentReporter(), logDir: scratch, signal})
    const software = await callStep(await planStep('tree/list-software', {tree}), {signal})
    const known = join(scriptsDirectory(), 'lib/generated.txt')
    const unowned = await callStep(await planStep('tree/list-unowned', {tree, known}), {signal})
    const sbom = JSON.parse(await readFile(image.file('sbom.cdx.json'), 'utf8')) as {components?: {purl?: string}[]}
    const locks = ['python.json', 'attestation-python.json']
      .map((name) => image.file(name))
      .filter((file) => existsSync(file))
    const texts = await Promise.all(locks.map((file) => readFile(file, 'utf8')))
    return {
      listed: (sbom.components ?? []).flatMap(({purl}) => (purl === undefined ? [] : [purl])),
      found: componentsOf(image.manifest, software, texts).map(({purl}) => purl),
      unowned: unowned.split('\n').filter(Boolean),
    }
  } finally {
    await callStep(await planStep('tree/remove', {tree}))
  }
}
