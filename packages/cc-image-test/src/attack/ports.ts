import {z} from 'zod'

import type {ImageUnderTest} from '../image/under-test.js'
import type {Outbound, PortRule} from '../judges/network.js'
import {ownAddresses} from './wire/host.js'

const rule = z.object({
  port: z.int(),
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  cidr: z.string().nullable().default(null),
})
const hardening = z.object({
  role: z.enum(['client', 'server']).nullable().default(null),
  network: z
    .object({
      inbound: z.array(rule).default([]),
      outbound: z.array(rule).default([]),
      resolvers: z.array(z.string()).default([]),
    })
    .prefault({}),
  workspace: z.string().default('/vault/workspace'),
  lockdown: z.string().default('integrity'),
  setuid: z.array(z.string()).default([]),
})

/** What an image says of its own lock-down; an image without one has a role of nothing. */
export function hardeningOf({image}: Pick<ImageUnderTest, 'image'>): z.output<typeof hardening> {
  return hardening.parse(image.manifest.config['hardening'] ?? {})
}

/** What may be reached from outside. */
export function inboundRules(subject: Pick<ImageUnderTest, 'image'>): PortRule[] {
  return hardeningOf(subject).network.inbound
}

/** What may be reached from inside: by the rules of the configuration, and what a network needs at all. */
export function outboundOf(subject: Pick<ImageUnderTest, 'image'>): Outbound {
  const {network} = hardeningOf(subject)
  return {
    rules: network.outbound,
    resolvers: network.resolvers.length > 0 ? network.resolvers : ownAddresses,
    dhcp: ownAddresses[0],
  }
}

/** TCP ports that may be reached from inside, at any address. */
export const outboundPorts = (subject: Pick<ImageUnderTest, 'image'>): number[] =>
  outboundOf(subject)
    .rules.filter(({protocol, cidr}) => protocol === 'tcp' && cidr === null)
    .map(({port}) => port)
