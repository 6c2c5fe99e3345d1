import {teeDerivedFields} from '../config/index.js'
import type {Config, KeySource, Layout} from '../config/index.js'

/** The lines of boot.conf that key sources read, for those that a partition uses. */
export function keySettings({
  partitions,
  kbs,
  teeDerived,
}: {
  partitions: Layout['partitions']
  kbs: Config['kbs']
  teeDerived: Config['teeDerived']
}): Record<string, string> {
  const uses = (source: KeySource) => Object.values(partitions).some(({key}) => key === source)
  return {
    ...(uses('kbs') && kbs.url !== null
      ? {...kbsLines(kbs, kbs.url), ...networkLines(kbs.network), ...clockLines(kbs.clock)}
      : {}),
    ...(uses('tee-derived') ? teeDerivedLines(teeDerived) : {}),
  }
}

const kbsLines = ({timeoutSeconds, attempts}: Config['kbs'], url: string) => ({
  'kbs.url': url,
  'kbs.timeout': String(timeoutSeconds),
  'kbs.attempts': String(attempts),
})

function networkLines({interface: name, address, gateway, dns, timeoutSeconds}: Config['kbs']['network']) {
  const [ip = '', prefix = ''] = address?.split('/') ?? []
  return {
    'network.mode': address === null ? 'dhcp' : 'static',
    'network.timeout': String(timeoutSeconds),
    ...(name !== null && {'network.interface': name}),
    ...(address !== null && {'network.address': ip, 'network.netmask': netmask(Number(prefix))}),
    ...(address !== null && gateway !== null && {'network.gateway': gateway}),
    ...(dns.length > 0 && {'network.dns': dns.join(' ')}),
  }
}

function clockLines({servers, agreeing, timeoutSeconds}: Config['kbs']['clock']): Record<string, string> {
  if (servers.length === 0) return {}
  return {
    'clock.servers': servers.join(' '),
    'clock.agreeing': String(agreeing),
    'clock.timeout': String(timeoutSeconds),
  }
}

/** 24 → 255.255.255.0 */
function netmask(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')
}

/** The fields as the binary number that snpguest takes: the first field is the lowest bit. */
const teeDerivedLines = ({rootKey, fields, vmpl, svn, tcbVersion}: Config['teeDerived']) => ({
  'tee-derived.root-key': rootKey,
  'tee-derived.fields': fields.reduce((bits, field) => bits | (1 << teeDerivedFields.indexOf(field)), 0).toString(2),
  'tee-derived.vmpl': String(vmpl),
  ...(svn !== null && {'tee-derived.svn': String(svn)}),
  ...(tcbVersion !== null && {'tee-derived.tcb-version': tcbVersion}),
})
