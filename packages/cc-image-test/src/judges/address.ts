/** The bits of an address in its written form; null where it is none. */
function bitsOf(address: string): string | null {
  const parts = address.includes(':') ? groupsOf(address) : address.split('.').map(Number)
  const [count, width] = address.includes(':') ? [8, 16] : [4, 8]
  if (parts?.length !== count || parts.some((part) => !Number.isInteger(part) || part < 0 || part >= 2 ** width))
    return null
  return parts.map((part) => part.toString(2).padStart(width, '0')).join('')
}

/** The eight groups of an IPv6 address, with one :: at most (RFC 4291, section 2.2). */
function groupsOf(address: string): number[] | null {
  const [head = '', tail, more] = address.split('::')
  if (more !== undefined) return null
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)))
  if (tail === undefined) return groups(head)
  const [before, after] = [groups(head), groups(tail)]
  return [...before, ...Array<number>(Math.max(8 - before.length - after.length, 0)).fill(0), ...after]
}

/** Whether an address belongs to a network such as 10.0.0.0/8 or fd00::/8; an address alone is a network of one. */
export function inNetwork(address: string, cidr: string): boolean {
  const [network = '', length] = cidr.split('/')
  const [own, of] = [bitsOf(address), bitsOf(network)]
  if (own === null || of?.length !== own.length) return false
  const bits = length === undefined ? own.length : Number(length)
  return own.slice(0, bits) === of.slice(0, bits)
}

/** Whether two texts are the same address. */
export const isAddress = (one: string, other: string): boolean => {
  const bits = bitsOf(one)
  return bits !== null && bits === bitsOf(other)
}

/** Whether all addresses of a network belong to another one. */
export function isWithin(cidr: string, other: string): boolean {
  const [network = '', length = '128'] = cidr.split('/')
  return inNetwork(network, other) && Number(length) >= Number(other.split('/')[1] ?? 128)
}
