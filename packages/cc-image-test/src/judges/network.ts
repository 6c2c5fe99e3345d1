import {passed} from 'cc-core/report'

import {inNetwork, isAddress, isWithin} from './address.js'
import {wordsOf, type Facts} from './facts.js'
import {broken, defended, defendedUnless, judgingAttack} from './outcome.js'

/** What a guest tried to reach, as it was seen on the wire. */
export interface Attempt {
  address: string
  /** 0 for a protocol without ports. */
  port: number
  /** An echo request is a ping of ICMP or ICMPv6. */
  protocol: 'tcp' | 'udp' | 'echo'
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
  if (protocol === 'echo') return false
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
  {family, allowed}: {family: Scan['family']; allowed: readonly Pick<PortRule, 'port' | 'protocol'>[]},
) => {
  const own = scans.filter((scan) => scan.family === family)
  const without = (['tcp', 'udp'] as const).filter((protocol) => !own.some((scan) => scan.protocol === protocol))
  if (without.length > 0) return broken(`no address of ${family} was asked by ${without.join(' or ')}`)
  const problems = own.flatMap(({protocol, address, asked, open, refused, lost}) => {
    const permitted = allowed.filter((rule) => rule.protocol === protocol).map(({port}) => port)
    const visible = [...open, ...refused].filter((port) => !permitted.includes(port))
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
  const permitted = allowed.map(({protocol, port}) => `${protocol}/${port}`).join(', ') || 'none'
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
  /** Ports that the probe has tried. */
  ports: readonly number[]
}

/** Ports that are not allowed cannot be reached: the machine says so, and the wire is asked, too. */
export const judgeForbidden = judgingAttack<Connections>(
  'facts',
  'attempts',
)(({facts, attempts}, expected: ForbiddenExpectation) => {
  const problems = ['out-forbidden', 'out-forbidden6'].flatMap((fact) => {
    const said = wordsOf(facts[fact])
    return expected.ports.flatMap((port) => {
      if (said.includes(`${port}:closed`)) return []
      return [
        said.includes(`${port}:open`) ? `${fact} ${port}:open` : `${fact} does not say how it went at port ${port}`,
      ]
    })
  })
  const sent = wordsOf(facts['udp-forbidden'])
  problems.push(
    ...expected.ports
      .filter((port) => !sent.includes(String(port)))
      .map((port) => `no datagram was sent to port ${port}`),
  )
  if (attempts.length === 0) problems.push('not one packet of the machine was seen')
  problems.push(...onWire(attempts, expected).map((packet) => `a packet to ${packet} is on the wire`))
  // By TCP and UDP, on IPv4 and IPv6.
  const tried = 4 * expected.ports.length
  return defendedUnless(problems, 'powerless', `${tried} attempts, no packet of them is on the wire`)
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
