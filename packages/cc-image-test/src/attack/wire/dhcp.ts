import {uint16, type Address} from './frames.js'

/** RFC 2131; the options are those of RFC 2132, and 121 of RFC 3442. */
const cookie = Buffer.from([0x63, 0x82, 0x53, 0x63])
const option = (code: number, value: Buffer) => Buffer.concat([Buffer.from([code, value.length]), value])

export interface DhcpOffer {
  guest: Address
  server: Address
  /** Longer than anybody's name server list has to be: what a hostile server would say. */
  hostile: boolean
}

/** What a guest asks: 1 discover, 3 request; null where it is no question. */
export function dhcpQuestion(payload: Buffer): number | null {
  if (payload.length < 244 || payload[0] !== 1 || !payload.subarray(236, 240).equals(cookie)) return null
  for (let at = 240; at + 2 < payload.length && payload[at] !== 255;) {
    if (payload[at] === 53) return payload[at + 2] ?? null
    at += payload[at] === 0 ? 1 : 2 + (payload[at + 1] ?? 0)
  }
  return null
}

/** The answer to a question: an offer to a discovery, an acknowledgement to a request. */
export function dhcpAnswer(question: Buffer, kind: number, {guest, server, hostile}: DhcpOffer): Buffer {
  const fixed = Buffer.alloc(236)
  question.copy(fixed, 0, 0, 236)
  fixed[0] = 2
  guest.copy(fixed, 16)
  server.copy(fixed, 20)
  const lease = Buffer.from([0, 1, 0x51, 0x80])
  const options = [
    option(53, Buffer.from([kind === 1 ? 2 : 5])),
    option(54, server),
    option(51, lease),
    option(1, Buffer.from([255, 255, 255, 0])),
    option(3, server),
    option(6, server),
    ...(hostile ? hostileOptions(server) : []),
  ]
  return Buffer.concat([fixed, cookie, ...options, Buffer.from([255])])
}

/** Routes to everywhere, a host name, a search domain, a proxy, a time server, a boot file, and text for a shell. */
const hostileOptions = (server: Address) => [
  option(12, Buffer.from('owned')),
  option(15, Buffer.from("owned.example';poweroff;'")),
  option(42, server),
  option(252, Buffer.from('http://10.77.0.2/wpad.dat')),
  option(67, Buffer.from('$(echo CC-OWNED >/dev/console)')),
  option(26, uint16(576)),
  option(121, Buffer.concat([Buffer.from([1, 0]), server, Buffer.from([1, 128]), server, Buffer.from([0]), server])),
]
