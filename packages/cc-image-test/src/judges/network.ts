import {passed} from 'cc-core/report'

import {inNetwork, isAddress, isWithin} from './address.js'
import {wordsOf, type Facts} from './facts.js'
import {broken, defended, defendedUnless, judgingAttack} from './outcome.js'

/** What a guest tried to reach, as it was seen on the wire. */
export interface Attempt {
  address: string
  /** 0 for a protocol without ports. */
  port: number
  /** tcp, udp, or whatever else was seen: an echo is a ping; icmp-5, icmpv6-134, ip-132 and ether-0x88b5 have numbers. */
  protocol: string
}

export interface PortRule {
  port: number
  protocol: 'tcp' | 'udp'
  /** Null: any address. */
  cidr: string | null
}

/** What the firewall lets out. */
export interface Outbound {
  rules: readonly PortRule[]
  /** The name servers of the configuration; else those that DHCP and the router name. */
  resolvers: readonly string[]
  /** The DHCP server. */
  dhcp: string
}

const dnsPort = 53
const linkLocal = ['169.254.0.0/16', 'fe80::/10']

/**
 * Whether a packet may be on the wire, by protocol, destination and port. Questions to a name server go by TCP, too. Seen
 * of systemd-resolved 252: a name server that does not answer is asked three times with EDNS0 and three times without, a
 * question each 5 seconds, and then by TCP; one whose answers are marked as truncated is asked by TCP at once; one that
 * answers, be it with an error, never. Our hostile name server does not answer.
 */
export function mayLeave({protocol, address, port}: Attempt, {rules, resolvers, dhcp}: Outbound): boolean {
  if (!['tcp', 'udp'].includes(protocol)) return false
  if (port === dnsPort && resolvers.some((resolver) => isAddress(resolver, address))) return true
  if (protocol === 'udp' && port === 67 && ['255.255.255.255', dhcp].includes(address)) return true
  if (protocol === 'udp' && port === 547 && (address === 'ff02:0:0:0:0:0:1:2' || address.startsWith('fe80:')))
    return true
  // The metadata service of a cloud is at such an address: only a rule that names it opens it.
  const special = linkLocal.find((network) => inNetwork(address, network))
  const opens = ({cidr}: PortRule) =>
    special === undefined
      ? cidr === null || inNetwork(address, cidr)
      : cidr !== null && isWithin(cidr, special) && inNetwork(address, cidr)
  return rules.some((rule) => rule.protocol === protocol && rule.port === port && opens(rule))
}

/** Whether a port of the guest may answer an address outside. */
export const mayEnter = (
  {protocol, port, from}: {protocol: string; port: number; from: string},
  rules: readonly PortRule[],
): boolean =>
  rules.some(
    (rule) => rule.protocol === protocol && rule.port === port && (rule.cidr === null || inNetwork(from, rule.cidr)),
  )

/** Packets that may not be there, each once. */
export const onWire = (attempts: readonly Attempt[], outbound: Outbound): string[] => [
  ...new Set(
    attempts
      .filter((attempt) => !mayLeave(attempt, outbound))
      .map(({protocol, address, port}) => `${protocol} ${address}${port === 0 ? '' : `:${port}`}`),
  ),
]

/** One scan of all ports of one address of the guest. */
export interface Scan {
  family: 'IPv4' | 'IPv6'
  protocol: 'tcp' | 'udp'
  address: string
  /** Ours: a rule may name the network that it is for. */
  from: string
  /** How many ports were asked. */
  asked: number
  /** Ports that answered: with a program behind them, and with a word that there is none. */
  open: readonly number[]
  refused: readonly number[]
  /** How many times the guest did not keep up. */
  lost: number
}

const allPorts = 65_535
/** Of about 1000 times that the guest is asked whether it still listens. */
const tolerated = 8

/** Nothing answers but what is allowed to. No address that could be asked proves nothing. */
export const judgeScan = judgingAttack<{scans: readonly Scan[]}>('scans')((
  {scans},
  {family, allowed}: {family: Scan['family']; allowed: readonly PortRule[]},
) => {
  const own = scans.filter((scan) => scan.family === family)
  const without = (['tcp', 'udp'] as const).filter((protocol) => !own.some((scan) => scan.protocol === protocol))
  if (without.length > 0) return broken(`no address of ${family} was asked by ${without.join(' or ')}`)
  const problems = own.flatMap(({protocol, address, from, asked, open, refused, lost}) => {
    const visible = [...open, ...refused].filter((port) => !mayEnter({protocol, port, from}, allowed))
    const shown = visible.slice(0, 20).join(', ') + (visible.length > 20 ? `, … (${visible.length})` : '')
    return [
      ...(visible.length === 0 ? [] : [`${address} answers at ${protocol} ports that are not allowed: ${shown}`]),
      ...(asked === allPorts ? [] : [`${address}: only ${asked} of ${allPorts} ${protocol} ports were asked`]),
      ...(lost > tolerated ? [`${address}: the machine did not keep up, ${lost} times`] : []),
    ]
  })
  const answers = own.map(({protocol, address, open, refused}) => {
    const said = [open.length > 0 && `open: ${open.join(', ')}`, refused.length > 0 && `closed: ${refused.join(', ')}`]
    return `${protocol} ${address}: ${said.filter(Boolean).join('; ') || 'no port answers'}`
  })
  const permitted =
    allowed.map(({protocol, port, cidr}) => `${protocol}/${port}${cidr === null ? '' : `@${cidr}`}`).join(', ') ||
    'none'
  return defendedUnless(problems, 'powerless', `ports 1 to ${allPorts}: ${answers.join('; ')}; allowed: ${permitted}`)
})

export interface Wire {
  attempts: readonly Attempt[]
  /** The address that the guest took from DHCP; null: none. */
  address4: string | null
}

/** The machine begins no connection that is not allowed. A machine without a network proves nothing. */
export const judgeSilence = judgingAttack<Wire>(
  'attempts',
  'address4',
)(({attempts, address4}, expected: Outbound) => {
  if (address4 === null) return broken('the machine took no address, so nothing of its network was seen')
  if (attempts.length === 0) return broken('not one packet of the machine was seen, not even its questions to DHCP')
  const seen = onWire(attempts, expected)
  return seen.length === 0 ? defended('powerless', `${attempts.length} packets, all allowed`) : broken(seen.join(', '))
})

export interface Connections {
  facts: Facts
  attempts: readonly Attempt[]
}

export interface ForbiddenExpectation extends Outbound {
  /** Ports that the probe has tried, by TCP and UDP. */
  ports: readonly number[]
  /** The addresses at which it has tried them. */
  four: string
  six: string
}

/** How it goes with a port that is closed; whatever else came back, nothing was tried. A datagram may seem to be sent. */
const closed = {tcp: ['timeout', 'denied', 'refused'], udp: ['timeout', 'denied', 'refused', 'sent']} as const

/** Why nothing can be said of a family. */
function unreachedWhy(facts: Facts, family: '4' | '6'): string[] {
  const lacking = (['addresses', 'routes'] as const).filter((name) => facts[name + family] === '')
  return [
    ...lacking.map((name) => `the machine has no ${name === 'routes' ? 'route' : 'address'} of IPv${family}`),
    ...(facts[`way${family}`] === 'yes' ? [] : [`the machine has no way to the host on IPv${family}`]),
  ]
}

/** Ports that are not allowed cannot be reached: the machine says so, and the wire is asked, too. */
export const judgeForbidden = judgingAttack<Connections>(
  'facts',
  'attempts',
)(({facts, attempts}, expected: ForbiddenExpectation) => {
  const {ports, four, six} = expected
  const missing = ['addresses4', 'routes4', 'addresses6', 'routes6'].filter((name) => facts[name] === undefined)
  if (missing.length > 0) return broken(`the probe did not say: ${missing.join(', ')}`)
  if (ports.length === 0) return broken('no port was tried')
  // A kernel without IPv6 cannot try it; one with an address has to.
  const has6 = facts['addresses6'] !== '' && facts['routes6'] !== ''
  const tries = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const fact = protocol === 'tcp' ? 'out-forbidden' : 'udp-forbidden'
    return [{protocol, fact, address: four}, ...(has6 ? [{protocol, fact: `${fact}6`, address: six}] : [])]
  })
  const forbidden = tries.flatMap((one) =>
    ports.filter((port) => !mayLeave({...one, port}, expected)).map((port) => ({...one, port})),
  )
  const problems = [...unreachedWhy(facts, '4'), ...(has6 ? unreachedWhy(facts, '6') : [])]
  for (const {protocol, fact, port} of forbidden) {
    const said = wordsOf(facts[fact]).filter((word) => word.startsWith(`${port}:`))
    const ends = closed[protocol].map((end) => `${port}:${end}`)
    if (said.length === 0) problems.push(`${fact} does not say how it went at port ${port}`)
    problems.push(...said.filter((word) => !ends.includes(word)).map((word) => `${fact} ${word}`))
  }
  if (attempts.length === 0) problems.push('not one packet of the machine was seen')
  problems.push(...onWire(attempts, expected).map((packet) => `a packet to ${packet} is on the wire`))
  const without = has6 ? '' : '; IPv6 was not tried, of which the machine has no address or no route'
  const reason = `${forbidden.length} attempts, no packet of them is on the wire${without}`
  return defendedUnless(problems, 'powerless', reason)
})

/** Ports that are allowed can be reached: else nothing is known of those that cannot. */
export const judgeAllowed = judgingAttack<Connections>(
  'facts',
  'attempts',
)(({facts, attempts}, {ports}: {ports: readonly number[]}) => {
  const said = wordsOf(facts['out-allowed'])
  const problems = ports.filter(
    (port) => !said.includes(`${port}:open`) || !attempts.some((one) => one.protocol === 'tcp' && one.port === port),
  )
  if (ports.length === 0) return broken('no port was tried')
  return problems.length === 0
    ? passed(`${ports.join(', ')}: connected`)
    : broken(`not connected: ${problems.join(', ')}`)
})
