import {z} from 'zod'

import type {ImageUnderTest} from '../image/under-test.js'

const rule = z.object({port: z.int(), protocol: z.string().default('tcp'), cidr: z.string().nullable().default(null)})
const hardening = z.object({
  role: z.enum(['client', 'server']).nullable().default(null),
  network: z
    .object({inbound: z.array(rule).nullable().default(null), outbound: z.array(rule).nullable().default(null)})
    .prefault({}),
  workspace: z.string().default('/vault/workspace'),
  setuid: z.array(z.string()).default([]),
})

/** What an image says of its own lock-down; an image without one has a role of nothing. */
export function hardeningOf({image}: Pick<ImageUnderTest, 'image'>): z.output<typeof hardening> {
  return hardening.parse(image.manifest.config['hardening'] ?? {})
}

/** The port of a FLARE server: what is allowed where the configuration lists nothing. */
const flarePort = 8002

const tcpPorts = (rules: readonly z.output<typeof rule>[]) =>
  rules.filter(({protocol}) => protocol === 'tcp').map(({port}) => port)

/** TCP ports that may answer from outside. */
export function inboundPorts(subject: Pick<ImageUnderTest, 'image'>): number[] {
  const {role, network} = hardeningOf(subject)
  return network.inbound === null ? (role === 'server' ? [flarePort] : []) : tcpPorts(network.inbound)
}

/** TCP ports that may be reached from inside, at any address. */
export function outboundPorts(subject: Pick<ImageUnderTest, 'image'>): number[] {
  const {role, network} = hardeningOf(subject)
  if (network.outbound === null) return role === 'client' ? [flarePort] : []
  return tcpPorts(network.outbound.filter(({cidr}) => cidr === null))
}
