import {X509Certificate} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'

import type {Config} from '../config/index.js'
import {CcError} from '../errors/index.js'
import {sha256File} from '../manifest/index.js'
import {planStep, type PlannedStep} from '../steps/index.js'

/**
 * Look at what the key source kbs needs, before anything is written.
 * @returns the configuration with the certificate of the key broker in it, so that it needs no file any more
 * @throws E_CONFIG that names every problem; E_SHA256 for a client that is not the configured one
 */
export async function resolveKeys(config: Config): Promise<Config> {
  const {kbs, layout} = config
  const users = Object.entries(layout.partitions).filter(([, {key}]) => key === 'kbs')
  const [first] = users
  if (first === undefined) return config
  const problems: string[] = []
  if (kbs.url === null) problems.push(`kbs.url: the key source 'kbs' of ${first[0]} needs the URL of the key broker`)
  if (users.length > 1 && !kbs.resource.includes('{partition}'))
    problems.push(
      `kbs.resource: '${kbs.resource}' is the same for ${users.map(([name]) => name).join(', ')}; it needs {partition}`,
    )
  if (kbs.network.address === null && kbs.network.gateway !== null)
    problems.push(`kbs.network.gateway: is only for a fixed address, got '${kbs.network.gateway}'`)
  const ca = await findCertificate(kbs, problems)
  await checkClient(kbs, problems)
  if (problems.length > 0) throw new CcError('E_CONFIG', problems.join('; '))
  return {...config, kbs: {...kbs, ca, caFile: null}}
}

/** The step that puts the programs of the key sources into a tree; before the initrd is made. */
export function planKeys({layout, kbs}: Config, tree: string): Promise<PlannedStep> {
  const sources = Object.values(layout.partitions).flatMap(({key}) => (key === null ? [] : [key]))
  return planStep(
    'base/55-keys',
    {
      tree,
      'key-source': [...new Set(sources)].sort(),
      'root-key-source': layout.partitions['cc-root']?.key ?? undefined,
      'kbs-client': kbs.client ?? undefined,
      'kbs-client-sha256': kbs.clientSha256 ?? undefined,
      'clock-authorities': sources.includes('kbs') && kbs.clock.servers.length > 0 ? kbs.clock.authorities : undefined,
    },
    {inputs: kbs.clientSha256 === null ? [] : [kbs.clientSha256]},
  )
}

async function findCertificate({ca, caFile}: Config['kbs'], problems: string[]): Promise<string | null> {
  if (ca !== null && caFile !== null) {
    problems.push('kbs.caFile and kbs.ca: only one of them can be the certificate of the key broker')
    return null
  }
  const text = ca ?? (await readText(caFile, problems))
  if (text === null) return null
  const where = ca === null ? `kbs.caFile: '${String(caFile)}'` : 'kbs.ca'
  if (text.includes('PRIVATE KEY')) problems.push(`${where} holds a private key, which must not get into an image`)
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) problems.push(`${where} holds no certificate in PEM form`)
  for (const block of blocks) problems.push(...certificateProblems(block).map((problem) => `${where} ${problem}`))
  return blocks.map((block) => `${block}\n`).join('')
}

async function readText(file: string | null, problems: string[]): Promise<string | null> {
  if (file === null) {
    problems.push('kbs.caFile: the certificate of the key broker is needed: without it any server could give a key')
    return null
  }
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    problems.push(`kbs.caFile: cannot read '${file}': ${(error as Error).message}`)
    return null
  }
}

function certificateProblems(pem: string): string[] {
  try {
    const {validTo, subject} = new X509Certificate(pem)
    return Date.parse(validTo) > Date.now() ? [] : [`has a certificate that ended ${validTo}: ${subject}`]
  } catch (error) {
    return [`holds what is no certificate: ${(error as Error).message}`]
  }
}

async function checkClient({client, clientSha256}: Config['kbs'], problems: string[]): Promise<void> {
  if (client === null) return
  if (!existsSync(client)) problems.push(`kbs.client: there is no file '${client}'`)
  else if (clientSha256 === null) problems.push(`kbs.clientSha256: is needed with kbs.client '${client}'`)
  else if ((await sha256File(client)) !== clientSha256)
    throw new CcError('E_SHA256', `kbs.client: '${client}' does not have the sha256 ${clientSha256}`, {
      suggestions: ['take the right file, or correct kbs.clientSha256'],
    })
}
