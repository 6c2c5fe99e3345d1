import {z} from 'zod'

import type {ImageUnderTest} from '../image/under-test.js'
import {mayLeave, type Outbound, type PortRule} from '../judges/network.js'
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

type Protocol = PortRule['protocol']

/** The ports of rules that let somebody reach an address of ours from inside, or of those that do not; each once. */
function ruledPorts(outbound: Outbound, address: string, protocol: Protocol, reachable: boolean): number[] {
  const ports = outbound.rules.filter((rule) => rule.protocol === protocol).map(({port}) => port)
  return [...new Set(ports)].filter((port) => mayLeave({protocol, address, port}, outbound) === reachable)
}

/** TCP ports that may be reached from inside, at an address of ours. */
export const outboundPorts = (subject: Pick<ImageUnderTest, 'image'>, address: string): number[] =>
  ruledPorts(outboundOf(subject), address, 'tcp', true)

/**
 * Of some ports, those that may not be reached by TCP from inside, at an address of ours; and those of rules that name
 * another network than ours.
 * @param protocols of those rules
 */
export function forbiddenPorts(
  subject: Pick<ImageUnderTest, 'image'>,
  address: string,
  usual: readonly number[],
  protocols: readonly Protocol[] = ['tcp'],
): number[] {
  const outbound = outboundOf(subject)
  const closed = usual.filter((port) => !mayLeave({protocol: 'tcp', address, port}, outbound))
  const others = protocols.flatMap((protocol) => ruledPorts(outbound, address, protocol, false))
  return [...new Set([...closed, ...others])]
}
