import {Agent, request} from 'node:https'

import {CcError} from 'cc-core/errors'

/** What a broker answered. What it released is not looked at, and not kept. */
export interface BrokerAnswer {
  status: number
  /** Name of the error, as Trustee has it, such as TokenNotFound; empty where the answer is not one of a key broker. */
  error: string
  detail: string
  /** The text of an answer to an administrator; empty for every other. */
  text: string
}

/** A key broker that is asked over TLS, with one authority that is trusted. */
export interface Broker {
  /** @param token of an attestation; null: none */
  resource: (path: string, token: string | null) => Promise<BrokerAnswer>
  /** The names of the policies, for an administrator. @param token null: nobody */
  policies: (token: string | null) => Promise<BrokerAnswer>
}

const mostBytes = 64 * 1024
const timeoutMs = 20_000

/**
 * @param url https only
 * @param ca certificate of the authority, PEM
 * @throws E_USAGE for a URL that is not a plain https URL
 */
export function openBroker(url: string, ca: string, signal: AbortSignal): Broker {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed?.protocol !== 'https:' || parsed.search !== '' || parsed.username !== '' || parsed.password !== '') {
    throw new CcError('E_USAGE', `--kbs: '${url}' is not a plain https URL`, {
      suggestions: ['name the key broker like https://kbs.example:8443'],
    })
  }
  const base = parsed.href.replace(/\/$/, '')
  const agent = new Agent({ca, keepAlive: true, maxSockets: 4})
  const ask = (path: string, token: string | null, keep: boolean) =>
    new Promise<BrokerAnswer>((resolve, reject) => {
      const headers = token === null ? {} : {authorization: `Bearer ${token}`}
      const failed = (error: Error) => {
        reject(
          new CcError('E_NETWORK', `${base} cannot be asked: ${error.message}`, {
            suggestions: ['look at the address, and name the authority of its certificate: --ca FILE'],
            reason: error,
          }),
        )
      }
      const sent = request(`${base}/kbs/v0/${path}`, {agent, headers, signal, timeout: timeoutMs}, (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes <= mostBytes) chunks.push(chunk)
        })
        response.on('error', failed)
        response.on('end', () => {
          resolve(answerOf(response.statusCode ?? 0, Buffer.concat(chunks).toString(), keep))
        })
      })
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} seconds`)))
      sent.on('error', failed)
      sent.end()
    })
  return {
    resource: (path, token) => ask(`resource/${path}`, token, false),
    policies: (token) => ask('resource-policy', token, true),
  }
}

function answerOf(status: number, body: string, keep: boolean): BrokerAnswer {
  const text = keep && status === 200 ? body : ''
  if (status === 200) return {status, error: '', detail: '', text}
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    parsed = null
  }
  const {type, detail} = (parsed ?? {}) as {type?: unknown; detail?: unknown}
  const error = typeof type === 'string' ? (/\/kbs\/errors\/(\w+)$/.exec(type)?.[1] ?? '') : ''
  return {status, error, detail: typeof detail === 'string' ? plain(detail) : '', text}
}

/** It comes from the network: plain text of it, and not much. */
const plain = (text: string) => text.replace(/[^ -~]+/g, ' ').slice(0, 200)
