import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Config} from '../config/index.js'
import {provenanceName, sha256File, signatureSuffix, type Manifest} from '../manifest/index.js'
import type {Component} from '../sbom/index.js'
import {planStep, stepTask, writeTask, type Task} from '../steps/index.js'

/** A part that an image was made from: ResourceDescriptor of in-toto. */
interface Resource {
  uri: string
  digest?: {sha256: string}
}

/**
 * How an image came to be, as in-toto and SLSA say it: a statement (in-toto.io/Statement/v1) with build provenance
 * (slsa.dev/provenance/v1). Its subject is the manifest, which names everything else by its hash. It has no times, so two
 * builds of one image have the same.
 * @param components the software in it
 */
export function provenance(manifest: Manifest, manifestText: string, components: readonly Component[]): object {
  const {source, tool, stage, config, buildKey, sourceDateEpoch, amd = []} = manifest
  const [name = tool, version = '0'] = tool.split(' ')
  const resolvedDependencies: Resource[] = [
    {uri: `${source.kind}:${source.label}`, ...(source.sha256 !== null && {digest: {sha256: source.sha256}})},
    ...amd.map(({name: patch, sha256}) => ({uri: `patch:${patch}`, digest: {sha256}})),
    ...components.map(({purl, sha256}) => ({uri: purl, ...(sha256 !== null && {digest: {sha256}})})),
  ]
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{name: 'manifest.json', digest: {sha256: createHash('sha256').update(manifestText).digest('hex')}}],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: `urn:cc-image:build:${stage}:1`,
        externalParameters: {config},
        internalParameters: {buildKey, sourceDateEpoch},
        resolvedDependencies,
      },
      runDetails: {builder: {id: `pkg:npm/${name}@${version}`, version: {[name]: version}}},
    },
  }
}

/**
 * Write the provenance of an image directory that is complete, and sign it and the manifest where there is a key.
 * @param components the software in it, after the tasks before
 */
export async function planProvenance(
  {signing}: Pick<Config, 'signing'>,
  target: string,
  components: () => readonly Component[],
): Promise<Task[]> {
  const statement = join(target, provenanceName)
  const write = writeTask('seal/provenance', `write ${statement}`, async () => {
    const text = await readFile(join(target, 'manifest.json'), 'utf8')
    const said = provenance(JSON.parse(text) as Manifest, text, components())
    await writeFile(
      statement,
      `${JSON.stringify(said, null, 2)}
`,
    )
  })
  if (signing.key === null) return [write]
  const {key, tool} = signing
  const sign = ['manifest.json', provenanceName].map(async (name) => {
    const file = join(target, name)
    return stepTask(await planStep('boot/sign-file', {tool, key, file, output: `${file}${signatureSuffix}`}), name)
  })
  return [write, ...(await Promise.all(sign))]
}

/** What an image depends on by its signature: another key makes another one. */
export const signingIdentity = async ({key}: Config['signing']): Promise<string> =>
  key !== null && existsSync(key) ? sha256File(key) : ''
