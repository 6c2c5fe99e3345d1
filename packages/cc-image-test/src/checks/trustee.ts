import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {skipped, type CheckTask} from 'cc-core/report'
import {evidenceTable, type EvidenceRow, type PolicyEntry} from 'cc-core/trustee'

import {
  judgeAdmin,
  judgeAnswer,
  judgeDemands,
  judgeForged,
  judgeNoAdmin,
  judgeNoToken,
  judgePolicyText,
  judgeSample,
} from '../judges/trustee.js'
import type {Broker} from '../trustee/broker.js'
import {askPolicy} from '../trustee/engine.js'
import {selfSignedToken} from '../trustee/token.js'

/** What is looked at, and with what. */
export interface TrusteeSubject {
  entry: PolicyEntry
  /** The policy of the image as it follows from the manifest. */
  expected: string
  /** The file in the image directory. */
  ownPolicy: string
  /** The policy that the rows are put to. */
  policy: string
  broker: Broker
  url: string
  /** File with the certificate of the authority. */
  ca: string
  /** The token of the administrator, null where none was named. */
  adminToken: string | null
  /** A program with the words of `opa eval`; null where there is none. */
  engine: string | null
  /** The program kbs-client; null where none was named. */
  client: string | null
  scratch: string
  signal: AbortSignal
}

/** What the policy of an image says, and what a broker that runs does. */
export function trusteeChecks(subject: TrusteeSubject): CheckTask[] {
  const rows =
    subject.entry.digests.length === 0 || subject.entry.paths.length === 0 ? [] : evidenceTable(subject.entry)
  return [...policyChecks(subject, rows), ...brokerChecks(subject, rows)]
}

function policyChecks(
  {entry, expected, ownPolicy, policy, engine, scratch, signal}: TrusteeSubject,
  rows: readonly EvidenceRow[],
): CheckTask[] {
  return [
    {
      id: 'policy-text',
      group: 'policy',
      title: 'The policy in the image directory is that of the image',
      run: async () => judgePolicyText({text: await readFile(ownPolicy, 'utf8')}, {expected}),
    },
    {
      id: 'policy-demands',
      group: 'policy',
      title: 'The policy demands a measurement and new firmware',
      run: () => judgeDemands({digests: entry.digests.length, minimumTcb: entry.minimumTcb}),
    },
    ...rows.map((row): CheckTask => {
      const {id, title, released} = row
      return {
        id: `policy-${id}`,
        group: 'policy',
        title: `${title}: ${released ? 'released' : 'refused'}`,
        run: async () =>
          engine === null
            ? skipped(
                'there is no policy engine on this host: install OPA, or name a program with its words (--engine FILE)',
              )
            : judgeAnswer({answer: await askPolicy({program: engine, policy, scratch, signal}, row)}, {released}),
      }
    }),
  ]
}

function brokerChecks(
  {entry, broker, url, ca, adminToken, client, signal}: TrusteeSubject,
  rows: readonly EvidenceRow[],
): CheckTask[] {
  const path = (entry.paths[0] ?? []).join('/')
  const [first] = rows.map(({id}) => `forged-${id}`)
  return [
    {
      id: 'no-token',
      group: 'broker',
      title: 'Without a token the broker releases nothing',
      run: async () => judgeNoToken(await broker.resource(path, null)),
    },
    {
      id: 'no-admin',
      group: 'broker',
      title: 'Without a token nobody is administrator of the broker',
      run: async () => judgeNoAdmin(await broker.policies(null)),
    },
    {
      id: 'admin',
      group: 'broker',
      title: 'The broker has a resource policy',
      run: async () =>
        adminToken === null ? skipped('--admin-token was not named') : judgeAdmin(await broker.policies(adminToken)),
    },
    {
      id: 'sample',
      group: 'broker',
      title: 'A machine without evidence gets nothing',
      run: async () => {
        if (client === null) return skipped('--kbs-client was not named')
        if (['/dev/sev-guest', '/dev/tdx_guest'].some((device) => existsSync(device)))
          return skipped('this machine is confidential itself')
        return judgeSample(await askAsNobody({client, url, ca, path, signal}))
      },
    },
    ...rows.map(({id, title, released, data, input}): CheckTask => {
      const at = (data['resource-path'] as string[]).join('/')
      return {
        id: `forged-${id}`,
        group: 'broker',
        title: `${title}, signed by whoever asks: refused`,
        run: async () =>
          data['plugin'] !== 'resource' || at === '' || (data['resource-path'] as string[]).length !== 3
            ? skipped('the broker has no such path')
            : judgeForged(await broker.resource(at, selfSignedToken(input)), {
                cause: `forged-${id}` === first ? null : (first ?? null),
                released,
              }),
      }
    }),
  ]
}

/** kbs-client as it is, on a machine that has nothing to show. What it prints is not kept: it could be a key. */
async function askAsNobody({
  client,
  url,
  ca,
  path,
  signal,
}: {
  client: string
  url: string
  ca: string
  path: string
  signal: AbortSignal
}) {
  const words = ['--url', url, '--cert-file', ca, 'get-resource', '--path', path]
  const {exitCode, stderr} = await run([client, ...words], {
    ...{signal, check: false, secret: true, timeoutMs: 120_000},
    env: {RUST_LOG: 'error', NO_COLOR: '1', SSL_CERT_FILE: ca, SSL_CERT_DIR: join('/', 'nonexistent')},
  })
  return {exitCode, said: stderr}
}
