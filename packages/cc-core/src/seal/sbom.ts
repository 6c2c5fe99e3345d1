import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Component} from '../sbom/index.js'
import {writeTask, type Task} from '../steps/index.js'
import {softwareFile, treeFile} from './prepare.js'
import type {SealRequest} from './seal.js'

/** Names of the software bills of materials in an image directory. */
export const sbomFiles = ['sbom.cdx.json', 'sbom.spdx.json'] as const

type SbomRequest = Pick<SealRequest, 'name' | 'tool' | 'buildKey' | 'sourceDateEpoch' | 'distribution' | 'extra'>

/**
 * The software of an image.
 * @param from the folder with the files out of the tree
 */
async function readComponents({distribution, tool, extra = {}}: SbomRequest, from: string): Promise<Component[]> {
  // Only a build needs the libraries that write SBOMs.
  const {componentsOf} = await import('../sbom/index.js')
  const locks = Object.keys(extra)
    .filter((name) => name.endsWith('python.json'))
    .map((name) => treeFile(from, name))
    .filter((file) => existsSync(file))
  const texts = await Promise.all(locks.map((file) => readFile(file, 'utf8')))
  return componentsOf({distribution, tool}, await readFile(softwareFile(from), 'utf8'), texts)
}

/** The SBOM of an image, in both standard forms; and what is in it, after the task: the folder may be gone then. */
export function planSbom(
  request: SbomRequest,
  from: string,
  target: string,
): {task: Task; components: () => readonly Component[]} {
  let components: readonly Component[] = []
  const task = writeTask('seal/sbom', `write ${sbomFiles.join(' and ')} in ${target}`, async () => {
    const {cycloneDx, sbomImage, spdx} = await import('../sbom/index.js')
    components = await readComponents(request, from)
    const image = sbomImage(request)
    const [cdxFile, spdxFile] = sbomFiles
    await writeFile(join(target, cdxFile), cycloneDx(image, components))
    await writeFile(join(target, spdxFile), spdx(image, components))
  })
  return {task, components: () => components}
}
