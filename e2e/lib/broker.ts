import {execFileSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {createServer, type Server} from 'node:https'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'

const openssl = (folder: string, ...words: string[]) => execFileSync('openssl', words, {cwd: folder, stdio: 'ignore'})

/** Make a certificate authority, and a certificate of it for the address that this host has for a guest of QEMU. */
export function makeCertificates(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(folder, 'req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test CA', '-days', '30')
  openssl(folder, 'req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=broker')
  writeFileSync(join(folder, 'server.ext'), 'subjectAltName=IP:10.0.2.2\n')
  signServer(folder, 30)
}

/** Sign the certificate of the server in a folder of makeCertificates, for some days from now. */
export function signServer(folder: string, days: number): void {
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'server.ext', '-days', String(days)]
  openssl(folder, 'x509', '-req', '-in', 'server.csr', ...sign, '-out', 'server.pem')
}

/** What a test wants the broker to say, by the path of the resource; null: nothing at all. */
export type Answers = (resource: string) => {status: number; body: string} | null

/** An HTTPS server that stands in for a key broker; it can present itself with other certificates. */
export async function startBroker(
  folder: string,
  answers: Answers,
): Promise<{port: number; asked: string[]; server: Server; present: (certificates: string) => void}> {
  const asked: string[] = []
  const identity = (certificates: string) => ({
    key: readFileSync(join(certificates, 'server.key')),
    cert: readFileSync(join(certificates, 'server.pem')),
  })
  const server = createServer(identity(folder), (request, response) => {
    const resource = (request.url ?? '').replace('/kbs/v0/resource/', '')
    asked.push(resource)
    const answer = answers(resource)
    if (answer !== null) response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const present = (certificates: string) => {
    server.setSecureContext(identity(certificates))
  }
  return {port: (server.address() as AddressInfo).port, asked, server, present}
}
