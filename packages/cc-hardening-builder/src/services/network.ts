import type {HardeningConfig, PortRule} from 'cc-core/config'

import type {KitPorts} from './kit-ports.js'

/** The port at which a server of NVIDIA FLARE listens unless it is provisioned otherwise: for a site without a kit. */
const flarePort = 8002

export type Role = 'client' | 'server'

/** The allow-lists of the firewall. */
export interface AllowLists {
  inbound: PortRule[]
  outbound: PortRule[]
}

/**
 * The allow-lists of a site: what is configured, and the ports of its kit, without which FLARE would be shut off. A
 * configured rule for such a port stands as it is, for it may name a network.
 */
export function allowLists(
  {inbound, outbound}: HardeningConfig['network'],
  role: Role,
  kit: KitPorts | null = null,
): AllowLists {
  const known = kit !== null && kit.inbound.length + kit.outbound.length > 0
  const ofRole = {inbound: role === 'server' ? [flarePort] : [], outbound: role === 'client' ? [flarePort] : []}
  const needed = known ? kit : ofRole
  return {
    inbound: inbound === null ? openPorts(needed.inbound) : [...inbound, ...missingRules(inbound, kit?.inbound)],
    outbound: outbound === null ? openPorts(needed.outbound) : [...outbound, ...missingRules(outbound, kit?.outbound)],
  }
}

const openPorts = (ports: readonly number[]): PortRule[] => ports.map((port) => ({port, protocol: 'tcp', cidr: null}))

/** Rules for the ports that a list says nothing of. */
export const missingRules = (rules: readonly PortRule[], ports: readonly number[] = []): PortRule[] =>
  openPorts(ports.filter((port) => !rules.some((rule) => rule.protocol === 'tcp' && rule.port === port)))

/**
 * Rules that contradict each other or the rest of the firewall, as `hardening.network.KEY: reason`. A list allows;
 * what says the same twice, or opens what another rule restricts, was not meant so.
 */
export function networkProblems(lists: AllowLists): string[] {
  return [...listProblems('inbound', lists.inbound), ...listProblems('outbound', lists.outbound)]
}

function listProblems(name: keyof AllowLists, rules: readonly PortRule[]): string[] {
  const problems: string[] = []
  const seen = new Set<string>()
  for (const rule of rules) {
    const text = showRule(rule)
    if (seen.has(text)) problems.push(`${text} stands twice`)
    seen.add(text)
    // Outbound, a rule without a network does not open link-local addresses: one that names them adds to it.
    const own = name === 'outbound' && isLinkLocal(rule.cidr)
    const open = rule.cidr !== null && !own && rules.some((other) => other.cidr === null && samePort(rule, other))
    if (open) problems.push(`${text} restricts a port that ${showRule({...rule, cidr: null})} opens to everybody`)
    if (name === 'outbound' && rule.port === 53)
      problems.push(`${text} would let questions out to any name server: use hardening.network.resolvers`)
    if (name === 'inbound' && rule.protocol === 'udp' && [68, 546].includes(rule.port))
      problems.push(`${text} is the port of our DHCP client, which has rules of its own`)
  }
  return problems.map((problem) => `hardening.network.${name}: ${problem}`)
}

/** Whether a network has link-local addresses only: the same rule as in scripts/guest/opt-flare/firewall.sh. */
function isLinkLocal(cidr: string | null): boolean {
  const [network = '', length = ''] = (cidr ?? '').split('/')
  if (network.startsWith('169.254.')) return Number(length) >= 16
  return /^fe[89ab][\da-f]:/i.test(network) && Number(length) >= 10
}

const samePort = (a: PortRule, b: PortRule) => a.port === b.port && a.protocol === b.protocol

/** A rule as site.conf has it: `tcp/8002`, or `tcp/8002@10.0.0.0/8`. */
export function showRule({port, protocol, cidr}: PortRule): string {
  return `${protocol}/${port}${cidr === null ? '' : `@${cidr}`}`
}
