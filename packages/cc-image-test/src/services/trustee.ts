import {existsSync} from 'node:fs'
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {parseConfig} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {findProgram} from 'cc-core/exec'
import {remove} from 'cc-core/fs'
import {readImageDirectory} from 'cc-core/manifest'
import {runChecks, type Report} from 'cc-core/report'
import {keyFacts, usesKbs} from 'cc-core/seal'
import {imageId, policyEntry, policyText} from 'cc-core/trustee'
import type {Reporter} from 'cc-core/ui'

import {trusteeChecks} from '../checks/trustee.js'
import {openBroker} from '../trustee/broker.js'

/** What a user named; all paths are absolute, null where nothing was named. */
export interface TrusteeTestOptions {
  image: string
  /** The broker; null: that of the image. */
  url: string | null
  /** Certificate of its authority; null: that of the image. */
  ca: string | null
  /** File with the token of the administrator. */
  adminToken: string | null
  /** The policy that the rows are put to; null: that of the image directory. */
  policy: string | null
  engine: string | null
  client: string | null
}

/**
 * Ask a policy and a broker that runs what they would release of the keys of an image.
 * @throws E_IMAGE for an image whose keys come from elsewhere, E_USAGE for what is missing or wrong, E_INTERRUPTED
 */
export async function testTrustee(
  options: TrusteeTestOptions,
  {reporter, signal}: {reporter: Reporter; signal: AbortSignal},
): Promise<Report> {
  const started = new Date()
  const {path, manifest, file} = await readImageDirectory(options.image)
  const config = parseConfig(manifest.config)
  if (!usesKbs(config)) {
    throw new CcError('E_IMAGE', `no key of ${path} comes from a key broker`, {
      suggestions: ["name an image with the key source 'kbs'"],
    })
  }
  const url = options.url ?? config.kbs.url
  const caText = options.ca === null ? config.kbs.ca : await readText('--ca', options.ca)
  if (url === null || caText === null) {
    throw new CcError(
      'E_USAGE',
      `${path} does not say ${url === null ? 'where its key broker is' : 'who signs for it'}`,
      {
        suggestions: ['name them: --kbs URL --ca FILE'],
      },
    )
  }
  const facts = keyFacts(manifest)
  const entry = policyEntry(facts)
  const scratch = await mkdtemp(join(tmpdir(), 'cc-image-test-'))
  try {
    const ca = join(scratch, 'ca.pem')
    await writeFile(ca, caText)
    const ownPolicy = file('trustee/resource-policy.rego')
    const checks = trusteeChecks({
      ...{entry, ownPolicy, scratch, signal, url, ca},
      expected: policyText({[imageId(facts.owner)]: entry}),
      policy: options.policy ?? ownPolicy,
      broker: openBroker(url, caText, signal),
      adminToken: options.adminToken === null ? null : (await readText('--admin-token', options.adminToken)).trim(),
      engine: options.engine ?? findProgram('opa'),
      client: options.client,
    })
    const title = 'cc-image-test trustee'
    const results = await runChecks(checks, {title, reporter, signal})
    const known = [
      {label: 'Key broker', value: url},
      ...entry.paths.map((parts) => ({label: 'Key', value: parts.join('/')})),
      ...entry.digests.map((digest) => ({label: 'Launch digest', value: digest})),
    ]
    const ms = Date.now() - started.getTime()
    return {title, subject: path, started: started.toISOString(), ms, checks: results, facts: known}
  } finally {
    remove(scratch)
  }
}

async function readText(flag: string, path: string): Promise<string> {
  if (existsSync(path)) return readFile(path, 'utf8')
  throw new CcError('E_USAGE', `${flag}: there is no file '${path}'`)
}
