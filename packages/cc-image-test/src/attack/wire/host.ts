import {setTimeout as sleep} from 'node:timers/promises'

import {dhcpAnswer, dhcpQuestion} from './dhcp.js'
import {
  arp,
  ethernet,
  etherTypes,
  icmpv6,
  ipv4,
  ipv6,
  mac,
  parseFrame,
  protocols,
  showAddress,
  tcp,
  tcpFlags,
  udp,
  type Address,
  type Frame,
} from './frames.js'
import type {Attempt, Scan} from '../../judges/network.js'
import type {Wire} from './wire.js'

export const guestMac = '52:54:00:77:00:0f'
const hostMac = mac('52:54:00:77:00:02')
const host4 = ipv4('10.77.0.2')
const guest4 = ipv4('10.77.0.15')
const host6 = ipv6('fe80::5054:ff:fe77:2')
const prefix6 = ipv6('2001:db8:77::')
const everybody = mac('ff:ff:ff:ff:ff:ff')
const allNodes = ipv6('ff02::1')
const allRouters = ipv6('ff02::2')
const reportRouters = ipv6('ff02::16')
const ndp = {routerSolicitation: 133, routerAdvertisement: 134, neighborSolicitation: 135, neighborAdvertisement: 136}
const multicastReport = 143
const echoRequest = {icmp: 8, icmpv6: 128}
const echoReply = 129
const unreachable = {icmp: 3, icmpv6: 1}
/** Number and sequence of our only ping. */
const ping = Buffer.from([0, 1, 0, 1])
/** Our SYN has the one before: whoever answers it says this number. */
const acknowledged = 1001

/** Of this host: what it hands out by DHCP, and by router advertisements, as name server too. */
export const ownAddresses = [showAddress(host4), showAddress(host6)] as const

/** The ports that scans are sent from: two passes by TCP, and UDP. */
const scanPorts = {tcp: 40_000, udp: 40_002}

/**
 * Everything that a guest has for a network, in the hands of whoever owns the host: the one neighbour, DHCP server, name
 * server and router. It takes every connection, and writes down every packet but those without which no guest has a
 * network, and those that answer what we asked.
 */
export class HostileHost {
  readonly attempts: Attempt[] = []
  /** Of the guest, as it was seen on the wire, by its written form. */
  readonly addresses6 = new Map<string, Address>()
  #guestMac = mac(guestMac)
  #has4 = false
  #arpSeen = 0
  /**
   * What answered, by protocol, address and port: an open port of TCP repeats its answer for a minute (RFC 9293, section
   * 3.8.1), which is in the middle of the scans that come next.
   */
  readonly #answers = new Map<string, 'open' | 'refused'>()
  /** The ports of the guest that were asked, by protocol, its address and the port of ours. */
  readonly #asked = new Map<string, Uint8Array>()
  #pinged = false

  constructor(
    private readonly wire: Wire,
    private readonly options: {hostile: boolean},
  ) {
    wire.onFrame((raw) => {
      const frame = parseFrame(raw)
      if (frame === null) this.attempts.push({protocol: 'ether-cut', address: '', port: 0})
      else this.#receive(frame)
    })
  }

  get address4(): string | null {
    return this.#has4 ? showAddress(guest4) : null
  }

  /** Tell of a network for IPv6, and ask who is there. */
  advertise(): void {
    const prefix = Buffer.concat([
      Buffer.from([3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 1, 0x51, 0x80, 0, 0, 0, 0]),
      prefix6,
    ])
    // Router preference high, and a name server of ours (RFC 8106).
    const server = Buffer.concat([Buffer.from([25, 3, 0, 0, 0, 1, 0x51, 0x80]), host6])
    const body = Buffer.concat([Buffer.from([64, 0x08, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]), prefix, server])
    this.#send6(allNodes, icmpv6(host6, allNodes, ndp.routerAdvertisement, body))
    this.#pinged = true
    this.#send6(allNodes, icmpv6(host6, allNodes, echoRequest.icmpv6, ping))
  }

  /**
   * Try every port of one address of the guest, twice.
   * @returns the ports that answered: those with a program behind them, and those that said that there is none
   */
  async scan(
    address: Address,
    protocol: Scan['protocol'],
    signal: AbortSignal,
  ): Promise<Pick<Scan, 'from' | 'asked' | 'open' | 'refused' | 'lost'>> {
    const answers = this.#answers
    for (let port = 1; port <= 65_535; port++) answers.delete(keyOf(protocol, address, port))
    let [lost, asked] = [0, 0]
    for (const pass of [0, 1]) {
      for (let port = 1; port <= 65_535; port++) {
        if (signal.aborted) break
        if (pass === 0) asked++
        if (!answers.has(keyOf(protocol, address, port))) {
          if (protocol === 'tcp') this.#syn(address, port, pass)
          else this.#datagram(address, port)
        }
        // The guest answers ARP whatever its firewall says. So when it does, it has taken what was sent before.
        if (port % 128 === 0 && !(await this.isHeard(signal))) lost++
      }
    }
    await sleep(1000)
    const all = Array.from({length: 65_535}, (_, index) => index + 1)
    const ports = (answer: string) => all.filter((port) => answers.get(keyOf(protocol, address, port)) === answer)
    return {from: showAddress(neighbourOf(address)), asked, open: ports('open'), refused: ports('refused'), lost}
  }

  /** Wait for a program behind a port: what starts late is to be seen by a scan, too. Whether it came in time. */
  async awaitOpen(address: Address, port: number, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    const open = () => this.#answers.get(keyOf('tcp', address, port)) === 'open'
    for (const end = Date.now() + patienceMs; !open() && Date.now() < end && !signal.aborted;) {
      this.#syn(address, port, 0)
      await sleep(1000)
    }
    return open()
  }

  guestAddress4 = (): Address => guest4

  #syn(to: Address, port: number, pass: number): void {
    const sourcePort = scanPorts.tcp + pass
    const segment = {sourcePort, destinationPort: port, sequence: acknowledged - 1, acknowledgement: 0}
    this.#remember(protocols.tcp, to, port, sourcePort)
    this.#sendIp(to, tcp(neighbourOf(to), to, {...segment, flags: tcpFlags.syn}))
  }

  #datagram(to: Address, port: number): void {
    this.#remember(protocols.udp, to, port, scanPorts.udp)
    this.#sendIp(to, udp(neighbourOf(to), to, {from: scanPorts.udp, to: port}, Buffer.from([0])))
  }

  #remember(protocol: number, address: Address, port: number, ownPort: number): void {
    const key = keyOf(String(protocol), address, ownPort)
    const ports = this.#asked.get(key) ?? new Uint8Array(65_536)
    ports[port] = 1
    this.#asked.set(key, ports)
  }

  /** Whether we have asked a port of the guest, from an address and a port of ours. */
  #hasAsked(protocol: number, guest: {address: Address; port: number}, own: {address: Address; port: number}): boolean {
    const ports = this.#asked.get(keyOf(String(protocol), guest.address, own.port))
    return ports?.[guest.port] === 1 && own.address.equals(neighbourOf(guest.address))
  }

  /** Whether the guest answers on the level below IP within 5 seconds. */
  async isHeard(signal: AbortSignal): Promise<boolean> {
    const before = this.#arpSeen
    const request = {operation: 1, senderMac: hostMac, senderIp: host4, targetMac: Buffer.alloc(6), targetIp: guest4}
    this.wire.send(ethernet(this.#guestMac, hostMac, etherTypes.arp, arp(request)))
    for (let waited = 0; waited < 5000 && !signal.aborted; waited += 2) {
      if (this.#arpSeen > before) return true
      await sleep(2)
    }
    return false
  }

  #receive(frame: Frame): void {
    this.#guestMac = Buffer.from(frame.from)
    if (frame.source?.length === 16) this.#learn6(frame.source)
    if (frame.arp !== undefined) this.#onArp(frame.arp)
    else if (frame.udp !== undefined) this.#onUdp(frame)
    else if (frame.tcp !== undefined) this.#onTcp(frame)
    else if (frame.icmp !== undefined || frame.icmpv6 !== undefined) this.#onIcmp(frame)
    else if (frame.destination !== undefined) this.#note(`ip-${frame.protocol ?? 0}`, frame.destination, 0)
    else this.#note(`ether-0x${frame.etherType.toString(16).padStart(4, '0')}`, frame.to, 0)
  }

  #onArp({operation, senderMac, senderIp, targetIp}: NonNullable<Frame['arp']>): void {
    if (operation === 2) this.#arpSeen++
    if (operation !== 1 || senderIp.equals(targetIp)) return
    // Whoever is asked for: it is us. But not while the guest only asks whether its own address is free.
    if (senderIp.every((byte) => byte === 0)) return
    const reply = {operation: 2, senderMac: hostMac, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp}
    this.wire.send(ethernet(senderMac, hostMac, etherTypes.arp, arp(reply)))
  }

  #learn6(source: Address): void {
    if (source.some((byte) => byte !== 0) && !source.equals(host6))
      this.addresses6.set(showAddress(source), Buffer.from(source))
  }

  #onNdp({icmpv6: message, source, from}: Frame): void {
    if (message === undefined || source === undefined) return
    if (message.type === ndp.routerSolicitation) this.advertise()
    if (message.type !== ndp.neighborSolicitation || message.body.length < 20) return
    const target = Buffer.from(message.body.subarray(4, 20))
    // Asked by nobody: the guest wants to know whether this address is free, so it is going to be its own.
    if (source.every((byte) => byte === 0)) this.#learn6(target)
    else {
      const body = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), target, Buffer.from([2, 1]), hostMac])
      const packet = icmpv6(target, source, ndp.neighborAdvertisement, body)
      this.wire.send(ethernet(from, hostMac, etherTypes.ipv6, packet))
    }
  }

  #onIcmp(frame: Frame): void {
    const {icmp, icmpv6: message, destination} = frame
    if (destination === undefined) return
    this.#onNdp(frame)
    if (this.#isRefusal(frame) || isNeighbourly(frame)) return
    if (icmp?.type === echoRequest.icmp || message?.type === echoRequest.icmpv6) this.#note('echo', destination, 0)
    else if (icmp !== undefined) this.#note(`icmp-${icmp.type}`, destination, 0)
    else if (message?.type !== echoReply || !this.#pinged || !destination.equals(host6) || !message.body.equals(ping))
      this.#note(`icmpv6-${message?.type ?? 0}`, destination, 0)
  }

  /** The guest's word that a port which we asked has no program behind it (RFC 792, RFC 4443). */
  #isRefusal({icmp, icmpv6: message}: Frame): boolean {
    // Behind the header of the packet that it is about, of IPv4 with options, come the ports.
    const is4 = icmp?.type === unreachable.icmp
    const about = is4 ? icmp.body : message?.type === unreachable.icmpv6 ? message.body.subarray(4) : Buffer.alloc(0)
    const header = is4 ? ((about[0] ?? 0) & 15) * 4 : 40
    if (about.length < Math.max(header, 20) + 4) return false
    const [from, to] = is4
      ? [about.subarray(12, 16), about.subarray(16, 20)]
      : [about.subarray(8, 24), about.subarray(24, 40)]
    const [ownPort, port, protocol] = [
      about.readUInt16BE(header),
      about.readUInt16BE(header + 2),
      about[is4 ? 9 : 6] ?? 0,
    ]
    if (!this.#hasAsked(protocol, {address: to, port}, {address: from, port: ownPort})) return false
    this.#answer(protocol === protocols.tcp ? 'tcp' : 'udp', to, port, 'refused')
    return true
  }

  #answer(protocol: Scan['protocol'], address: Address, port: number, answer: 'open' | 'refused'): void {
    const key = keyOf(protocol, address, port)
    if (this.#answers.get(key) !== 'open') this.#answers.set(key, answer)
  }

  #onUdp({udp: datagram, source, destination}: Frame): void {
    if (datagram === undefined || source === undefined || destination === undefined) return
    const [guest, own] = [
      {address: source, port: datagram.sourcePort},
      {address: destination, port: datagram.destinationPort},
    ]
    if (this.#hasAsked(protocols.udp, guest, own)) {
      this.#answer('udp', source, datagram.sourcePort, 'open')
      return
    }
    const kind = datagram.destinationPort === 67 ? dhcpQuestion(datagram.payload) : null
    this.#note('udp', destination, datagram.destinationPort)
    if (kind !== 1 && kind !== 3) return
    if (kind === 3) this.#has4 = true
    const answer = dhcpAnswer(datagram.payload, kind, {guest: guest4, server: host4, ...this.options})
    const packet = udp(host4, ipv4('255.255.255.255'), {from: 67, to: 68}, answer)
    this.wire.send(ethernet(everybody, hostMac, etherTypes.ipv4, packet))
  }

  #onTcp({tcp: segment, source, destination}: Frame): void {
    if (segment === undefined || source === undefined || destination === undefined) return
    const {flags, sourcePort, destinationPort, sequence} = segment
    const [guest, own] = [
      {address: source, port: sourcePort},
      {address: destination, port: destinationPort},
    ]
    const {syn, rst, ack} = tcpFlags
    // Our SYN is all that we send there, so nothing else comes back (RFC 9293, sections 3.5 and 3.10.7).
    const answers = (flags & ack) !== 0 && (flags & (syn | rst)) !== 0 && segment.acknowledgement === acknowledged
    if (answers && this.#hasAsked(protocols.tcp, guest, own)) {
      this.#answer('tcp', source, sourcePort, (flags & rst) !== 0 ? 'refused' : 'open')
      return
    }
    // Of a connection of its own, each segment goes to where the first one went: it may be there if that one may.
    this.#note('tcp', destination, destinationPort)
    if ((flags & (syn | ack)) !== syn) return
    const reply = {sourcePort: destinationPort, destinationPort: sourcePort, sequence: 1, acknowledgement: sequence + 1}
    this.#sendIp(source, tcp(destination, source, {...reply, flags: syn | ack}))
  }

  #note(protocol: Attempt['protocol'], address: Address, port: number): void {
    this.attempts.push({protocol, port, address: showAddress(address)})
  }

  #sendIp(to: Address, packet: Buffer): void {
    const type = to.length === 4 ? etherTypes.ipv4 : etherTypes.ipv6
    this.wire.send(ethernet(this.#guestMac, hostMac, type, packet))
  }

  #send6(to: Address, packet: Buffer): void {
    const multicast = Buffer.concat([Buffer.from([0x33, 0x33]), to.subarray(12)])
    this.wire.send(ethernet(multicast, hostMac, etherTypes.ipv6, packet))
  }
}

const keyOf = (protocol: string, address: Address, port: number) => `${protocol} ${address.toString('hex')} ${port}`

/**
 * Without these a guest has no network of IPv6: what it asks routers and neighbours, and answers those (RFC 4861; RFC 4862
 * before it takes an address), and its word which multicast groups of neighbours it listens to (RFC 3810, section 5.2.14).
 * The kernel sends them by itself. Not the report of IPv4, IGMP: nothing joins a group there, and no rule of ours lets it
 * out.
 */
function isNeighbourly({icmpv6: message, destination}: Frame): boolean {
  if (message === undefined || destination === undefined) return false
  const {type} = message
  if (type === ndp.routerSolicitation) return destination.equals(allRouters)
  if (type === multicastReport) return destination.equals(reportRouters)
  return type === ndp.neighborSolicitation || type === ndp.neighborAdvertisement
}

/** An address of ours, as a neighbour in the guest's own network. */
function neighbourOf(address: Address): Address {
  if (address.length === 4) return host4
  if (address[0] === 0xfe) return host6
  return Buffer.concat([address.subarray(0, 8), host6.subarray(8)])
}
