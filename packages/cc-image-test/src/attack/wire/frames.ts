/**
 * Ethernet frames, as far as somebody needs them who stands at the other end of a guest's cable: ARP (RFC 826), IPv4
 * (RFC 791), IPv6 (RFC 8200), ICMPv6 neighbour discovery (RFC 4861), UDP (RFC 768) and TCP (RFC 9293).
 */
export const etherTypes = {arp: 0x0806, ipv4: 0x0800, ipv6: 0x86dd} as const
export const protocols = {icmp: 1, tcp: 6, udp: 17, icmpv6: 58} as const
export const tcpFlags = {fin: 1, syn: 2, rst: 4, ack: 16} as const

/** Addresses are bytes: 6 of a network card, 4 or 16 of IP. */
export type Address = Buffer

export const mac = (text: string): Address => Buffer.from(text.replaceAll(':', ''), 'hex')
export const ipv4 = (text: string): Address => Buffer.from(text.split('.').map(Number))

/** An IPv6 address in its written form, with one :: at most (RFC 4291, section 2.2). */
export function ipv6(text: string): Address {
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? [] : Array<number>(8 - before.length - after.length).fill(0)
  const address = Buffer.alloc(16)
  for (const [index, group] of [...before, ...zeros, ...after].entries()) address.writeUInt16BE(group, 2 * index)
  return address
}

export function showAddress(address: Address): string {
  if (address.length === 4) return [...address].join('.')
  if (address.length === 6) return Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join(':')
  return Array.from({length: 8}, (_, index) => address.readUInt16BE(2 * index).toString(16)).join(':')
}

export const ethernet = (to: Address, from: Address, type: number, payload: Buffer): Buffer =>
  Buffer.concat([to, from, uint16(type), payload])

export const uint16 = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255])

/** The Internet checksum (RFC 1071). */
export function checksum(...parts: readonly Buffer[]): number {
  const data = Buffer.concat(parts)
  let sum = 0
  for (let index = 0; index < data.length; index += 2) sum += ((data[index] ?? 0) << 8) | (data[index + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** What TCP, UDP and ICMPv6 put before the packet when they compute its checksum. */
const pseudoHeader = (from: Address, to: Address, protocol: number, length: number) =>
  from.length === 4
    ? Buffer.concat([from, to, Buffer.from([0, protocol]), uint16(length)])
    : Buffer.concat([from, to, uint16(0), uint16(length), Buffer.from([0, 0, 0, protocol])])

/** An IP packet, of the version of its addresses; 64 hops, or 255 where neighbour discovery asks for that. */
export function ip(from: Address, to: Address, protocol: number, payload: Buffer): Buffer {
  if (from.length === 16) {
    const hops = protocol === protocols.icmpv6 ? 255 : 64
    const header = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), uint16(payload.length), Buffer.from([protocol, hops])])
    return Buffer.concat([header, from, to, payload])
  }
  const header = Buffer.concat([
    ...[Buffer.from([0x45, 0]), uint16(20 + payload.length), Buffer.from([0, 0, 0x40, 0, 64, protocol, 0, 0])],
    ...[from, to],
  ])
  header.writeUInt16BE(checksum(header), 10)
  return Buffer.concat([header, payload])
}

export interface TcpSegment {
  sourcePort: number
  destinationPort: number
  sequence: number
  acknowledgement: number
  flags: number
}

export function tcp(from: Address, to: Address, segment: TcpSegment): Buffer {
  const raw = Buffer.alloc(20)
  raw.writeUInt16BE(segment.sourcePort, 0)
  raw.writeUInt16BE(segment.destinationPort, 2)
  raw.writeUInt32BE(segment.sequence >>> 0, 4)
  raw.writeUInt32BE(segment.acknowledgement >>> 0, 8)
  raw.writeUInt8(5 << 4, 12)
  raw.writeUInt8(segment.flags, 13)
  raw.writeUInt16BE(64_240, 14)
  raw.writeUInt16BE(checksum(pseudoHeader(from, to, protocols.tcp, raw.length), raw), 16)
  return ip(from, to, protocols.tcp, raw)
}

export function udp(from: Address, to: Address, ports: {from: number; to: number}, payload: Buffer): Buffer {
  const raw = Buffer.concat([uint16(ports.from), uint16(ports.to), uint16(8 + payload.length), uint16(0), payload])
  raw.writeUInt16BE(checksum(pseudoHeader(from, to, protocols.udp, raw.length), raw) || 0xffff, 6)
  return ip(from, to, protocols.udp, raw)
}

export function icmpv6(from: Address, to: Address, type: number, body: Buffer): Buffer {
  const raw = Buffer.concat([Buffer.from([type, 0, 0, 0]), body])
  raw.writeUInt16BE(checksum(pseudoHeader(from, to, protocols.icmpv6, raw.length), raw), 2)
  return ip(from, to, protocols.icmpv6, raw)
}

export interface ArpPacket {
  /** 1: who has; 2: is at. */
  operation: number
  senderMac: Address
  senderIp: Address
  targetMac: Address
  targetIp: Address
}

export const arp = ({operation, senderMac, senderIp, targetMac, targetIp}: ArpPacket): Buffer =>
  Buffer.concat([Buffer.from([0, 1, 8, 0, 6, 4]), uint16(operation), senderMac, senderIp, targetMac, targetIp])

/** What a frame carries, as far as we read it. */
export interface Frame {
  to: Address
  from: Address
  etherType: number
  arp?: ArpPacket
  source?: Address
  destination?: Address
  /** Of what IP carries, behind the headers that only tell of options. */
  protocol?: number
  tcp?: TcpSegment
  udp?: {sourcePort: number; destinationPort: number; payload: Buffer}
  icmpv6?: {type: number; body: Buffer}
  icmp?: {type: number; code: number; body: Buffer}
}

/** Read a frame; whatever is cut off or unknown is left out. */
export function parseFrame(raw: Buffer): Frame | null {
  if (raw.length < 14) return null
  const [type, payload] = [raw.readUInt16BE(12), raw.subarray(14)]
  const frame = {to: raw.subarray(0, 6), from: raw.subarray(6, 12), etherType: type}
  if (type === etherTypes.arp && payload.length >= 28) return {...frame, arp: parseArp(payload)}
  if (type === etherTypes.ipv4 && payload.length >= 20) {
    const length = ((payload[0] ?? 0) & 15) * 4
    const [source, destination] = [payload.subarray(12, 16), payload.subarray(16, 20)]
    const content = payload.subarray(length, Math.max(length, payload.readUInt16BE(2)))
    const protocol = payload[9] ?? 0
    // A later fragment begins with no header of what it carries.
    const transport = (payload.readUInt16BE(6) & 0x1fff) === 0 ? parseTransport(protocol, content) : {}
    return {...frame, source, destination, protocol, ...transport}
  }
  if (type === etherTypes.ipv6 && payload.length >= 40) {
    const [source, destination] = [payload.subarray(8, 24), payload.subarray(24, 40)]
    const [protocol, content] = skipOptions(payload[6] ?? 0, payload.subarray(40))
    return {...frame, source, destination, protocol, ...parseTransport(protocol, content)}
  }
  return frame
}

/**
 * What comes behind hop-by-hop and destination options: multicast reports do, and anything may. A routing or a fragment
 * header is not skipped: the address or the ports that count are then elsewhere.
 */
function skipOptions(next: number, payload: Buffer): [number, Buffer] {
  if (![0, 60].includes(next) || payload.length < 8) return [next, payload]
  return skipOptions(payload[0] ?? 0, payload.subarray(((payload[1] ?? 0) + 1) * 8))
}

const parseArp = (raw: Buffer): ArpPacket => ({
  operation: raw.readUInt16BE(6),
  ...{senderMac: raw.subarray(8, 14), senderIp: raw.subarray(14, 18)},
  ...{targetMac: raw.subarray(18, 24), targetIp: raw.subarray(24, 28)},
})

function parseTransport(protocol: number, raw: Buffer): Partial<Frame> {
  if (protocol === protocols.tcp && raw.length >= 20) {
    return {
      tcp: {
        ...{sourcePort: raw.readUInt16BE(0), destinationPort: raw.readUInt16BE(2), flags: raw.readUInt8(13)},
        ...{sequence: raw.readUInt32BE(4), acknowledgement: raw.readUInt32BE(8)},
      },
    }
  }
  if (protocol === protocols.udp && raw.length >= 8)
    return {udp: {sourcePort: raw.readUInt16BE(0), destinationPort: raw.readUInt16BE(2), payload: raw.subarray(8)}}
  if (protocol === protocols.icmpv6 && raw.length >= 4) return {icmpv6: {type: raw.readUInt8(0), body: raw.subarray(4)}}
  if (protocol === protocols.icmp && raw.length >= 8)
    return {icmp: {type: raw.readUInt8(0), code: raw.readUInt8(1), body: raw.subarray(8)}}
  return {}
}
