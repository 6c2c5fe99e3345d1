import {execFileSync} from 'node:child_process'
import {createPublicKey, verify, type JsonWebKey} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createServer, type Server} from 'node:https'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'

import {ask} from './engine.js'

/** How a broker is set up. The first of each is right. */
export interface BrokerSetup {
  /** Whether it believes the key that a token brings with it. */
  insecureHeaderJwk: boolean
  /** Whether everybody is administrator: the default of Trustee. */
  insecureAllowAll: boolean
  policy: string
  resources: Readonly<Record<string, string>>
  adminToken: string
}

/** Make an authority, and a certificate of it for this machine. */
export function makeCertificates(folder: string): void {
  const openssl = (...words: string[]) => execFileSync('openssl', words, {cwd: folder, stdio: 'ignore'})
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test CA', '-days', '2')
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=broker')
  execFileSync('bash', ['-c', 'echo subjectAltName=IP:127.0.0.1 >server.ext'], {cwd: folder})
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'server.ext', '-days', '2']
  openssl('x509', '-req', '-in', 'server.csr', ...sign, '-out', 'server.pem')
}

/** The claims of a token that is signed by the key in its own header. */
function claimsOf(token: string): Record<string, unknown> | null {
  const [header = '', body = '', signature = ''] = token.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const {jwk, alg} = read(header) as {jwk: JsonWebKey; alg: string}
  if (alg !== 'ES256') return null
  const key = {key: createPublicKey({key: jwk, format: 'jwk'}), dsaEncoding: 'ieee-p1363'} as const
  const good = verify('sha256', Buffer.from(`${header}.${body}`), key, Buffer.from(signature, 'base64url'))
  return good ? read(body) : null
}

/**
 * Stands in for a key broker of Trustee: its addresses, its order of questions (token, policy, resource), its errors, and
 * its policy engine. It has no attestation service: the only tokens there are sign for themselves.
 * @param folder with certificates
 */
export async function startKeyBroker(folder: string, setup: () => BrokerSetup): Promise<{url: string; server: Server}> {
  const read = (name: string) => readFileSync(join(folder, name))
  const server = createServer({key: read('server.key'), cert: read('server.pem')}, (request, response) => {
    const {insecureHeaderJwk, insecureAllowAll, policy, resources, adminToken} = setup()
    const refuse = (name: string, detail: string) => {
      const type = `https://github.com/confidential-containers/kbs/errors/${name}`
      response.writeHead(401).end(JSON.stringify({type, detail}))
    }
    const [, , , plugin = '', ...path] = (request.url ?? '').split('/')
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (plugin === 'resource-policy') {
      if (!insecureAllowAll && token !== adminToken) refuse('AdminAuthAccess', 'admin access denied')
      else response.writeHead(200, {'content-type': 'application/json'}).end('["resource-policy"]')
      return
    }
    if (token === undefined) {
      refuse('TokenNotFound', 'Attestation Token not found')
      return
    }
    const claims = insecureHeaderJwk ? claimsOf(token) : null
    if (claims === null) {
      refuse('TokenVerifierError', 'Token Verifier error')
      return
    }
    const data = {plugin, 'resource-path': path, query: {}}
    if (ask([{policy, data, input: claims}])[0] !== true) {
      refuse('PolicyDeny', 'Access denied by policy')
      return
    }
    const resource = resources[path.join('/')]
    if (resource === undefined) {
      refuse('PluginInternalError', 'Plugin internal error')
      return
    }
    response.writeHead(200).end(JSON.stringify({protected: '', ciphertext: resource}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, server}
}
