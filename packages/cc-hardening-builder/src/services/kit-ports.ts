import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {z} from 'zod'

/** TCP ports that a participant listens at, and connects to. */
export interface KitPorts {
  inbound: readonly number[]
  outbound: readonly number[]
}

const number = z.int().min(1).max(65535)
const port = z.coerce.number().pipe(number)
/** The port of `server1:8002`, or of `server1:8002:8003`, which an overseer agent has for both ports of a server. */
const address = z
  .string()
  .regex(/:\d+$/, 'expected an address with a port, like server1:8002')
  .transform((text) => text.split(':').slice(1).map(Number))
  .pipe(z.array(number))
const url = z.url().transform((text) => {
  const {port: own, protocol} = new URL(text)
  return own === '' ? (protocol === 'http:' ? 80 : 443) : Number(own)
})

/** fed_server.json and fed_client.json: the templates fed_server and fed_client of nvflare/lighter. */
const startup = z.looseObject({
  servers: z
    .array(
      z.looseObject({
        service: z.looseObject({target: address.optional()}).optional(),
        admin_port: port.optional(),
      }),
    )
    .default([]),
  // Up to 2.6: who knows where the server is.
  overseer_agent: z
    .looseObject({
      args: z.looseObject({sp_end_point: address.optional(), overseer_end_point: url.optional()}).optional(),
    })
    .optional(),
})
/** comm_config.json: the listener that jobs, and the clients below this one, connect to. */
const communication = z.looseObject({
  internal: z
    .looseObject({resources: z.looseObject({host: z.string().optional(), port: port.optional()}).optional()})
    .optional(),
})
const relay = z.looseObject({relay_config: z.looseObject({address: address.optional()}).optional()})

/**
 * The ports that a start-up kit of NVIDIA FLARE needs, as its own files have them.
 * @throws E_CONFIG with the file, for one that is not of that form
 */
export function readKitPorts(kit: string): KitPorts {
  const inbound = new Set<number>()
  const outbound = new Set<number>()
  const add = (set: Set<number>, ...ports: (number | undefined)[]) => {
    for (const one of ports) if (one !== undefined) set.add(one)
  }
  const server = read(kit, 'startup/fed_server.json', startup)
  const client = read(kit, 'startup/fed_client.json', startup)
  for (const {service, admin_port} of server?.servers ?? []) add(inbound, ...(service?.target ?? []), admin_port)
  for (const {service} of client?.servers ?? []) add(outbound, ...(service?.target ?? []))
  for (const file of [server, client]) add(outbound, file?.overseer_agent?.args?.overseer_end_point)
  add(outbound, client?.overseer_agent?.args?.sp_end_point?.[0])
  add(outbound, ...(read(kit, 'local/relay__resources.json', relay)?.relay_config?.address ?? []))
  const internal = read(kit, 'local/comm_config.json', communication)?.internal?.resources
  if (!isLoopback(internal?.host)) add(inbound, internal?.port)
  return {inbound: [...inbound], outbound: [...outbound]}
}

const isLoopback = (host: string | undefined) => host === 'localhost' || host?.startsWith('127.') === true

function read<T>(kit: string, name: string, schema: z.ZodType<T>): T | null {
  const file = join(kit, name)
  if (!existsSync(file)) return null
  const wrong = (reason: string) =>
    new CcError('E_CONFIG', `'${file}': ${reason}`, {
      suggestions: ['take the start-up kit as nvflare provision writes it'],
    })
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  const {success, data, error} = schema.safeParse(content)
  if (success) return data
  throw wrong(error.issues.map(({path, message}) => `${path.join('.')}: ${message}`).join('; '))
}
