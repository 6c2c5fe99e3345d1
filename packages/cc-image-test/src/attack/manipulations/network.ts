import {setTimeout as sleep} from 'node:timers/promises'

import {skipped, type Verdict} from 'cc-core/report'

import type {Bench} from '../bench.js'
import {describeExit} from '../../image/console.js'
import {judgeBoot} from '../bench.js'
import {broken, defended, type Manipulation} from '../manipulation.js'
import {guestMac, HostileHost} from '../wire/host.js'
import {layWire} from '../wire/wire.js'
import {inboundPorts, outboundPorts} from '../ports.js'

interface Scan {
  family: 'IPv4' | 'IPv6'
  address: string
  open: number[]
  refused: number[]
  lost: number
}

/** What one boot on the wire of a hostile host showed. */
interface WireBoot {
  judged: Verdict
  scans: Scan[]
  attempts: HostileHost['attempts']
  address4: string | null
}

/** How long the service of a site may take to listen, after the machine has said that it is hardened. */
const servicePatienceMs = 120_000

/** One boot for all of them: the scans take their time. */
function wireBoot(): (bench: Bench) => Promise<WireBoot> {
  let booting: Promise<WireBoot> | undefined
  return (bench) => (booting ??= boot(bench))
}

async function boot(bench: Bench): Promise<WireBoot> {
  await bench.baseline()
  const machine = await bench.machine('network')
  const wire = await layWire()
  try {
    machine.devices.push(...wire.words(guestMac))
    const host = new HostileHost(wire, {hostile: true})
    const scans: Scan[] = []
    const result = await bench.boot(machine, {
      timeoutMs: bench.settings.timeoutMs + 300_000 + servicePatienceMs,
      whileUp: async (signal) => {
        host.advertise()
        for (let waited = 0; waited < 40 && !signal.aborted && host.address4 === null; waited++) await sleep(1000)
        host.advertise()
        await sleep(3000)
        const v4 = host.guestAddress4()
        const awaited = host.address4 === null ? [] : inboundPorts(bench.subject)
        await Promise.all(awaited.map((port) => host.awaitOpen(v4, port, servicePatienceMs, signal)))
        if (host.address4 !== null)
          scans.push({family: 'IPv4', address: host.address4, ...(await host.scan(v4, signal))})
        for (const [address, bytes] of [...host.addresses6.entries()].slice(0, 2))
          scans.push({family: 'IPv6', address, ...(await host.scan(bytes, signal))})
      },
    })
    if (result.matched === null) throw new Error(describeExit(result))
    const because = 'routes, names and servers of a hostile network change nothing of what the machine says of itself'
    const judged = await judgeBoot(bench, result, {powerless: true, because})
    return {judged, scans, attempts: host.attempts, address4: host.address4}
  } finally {
    wire.close()
  }
}

/** The scan of one family: nothing answers but what is allowed to. */
function judgeScan(scans: readonly Scan[], family: Scan['family'], allowed: readonly number[]): Verdict {
  const own = scans.filter((scan) => scan.family === family)
  if (own.length === 0)
    return defended('powerless', `the machine takes no address of ${family}, so no port can be asked`)
  const problems = own.flatMap(({address, open, refused, lost}) => {
    const visible = [...open, ...refused].filter((port) => !allowed.includes(port))
    const shown = visible.slice(0, 20).join(', ') + (visible.length > 20 ? `, … (${visible.length})` : '')
    return [
      ...(visible.length === 0 ? [] : [`${address} answers at ports that are not allowed: ${shown}`]),
      ...(lost > 8 ? [`${address}: the machine did not keep up, ${lost} of 1022 times`] : []),
    ]
  })
  if (problems.length > 0) return broken(problems.join('; '))
  const answers = own.map(({address, open, refused}) => {
    const words = [open.length > 0 && `open: ${open.join(', ')}`, refused.length > 0 && `closed: ${refused.join(', ')}`]
    return `${address}: ${words.filter(Boolean).join('; ') || 'no port answers'}`
  })
  return defended('powerless', `ports 1 to 65535, ${answers.join('; ')}; allowed: ${allowed.join(', ') || 'none'}`)
}

export function networkManipulations(): Manipulation[] {
  const once = wireBoot()
  const scan = (family: Scan['family'], id: string, quick = false): Manipulation => ({
    ...{id, quick, group: 'network', title: `Just the allowed ports answer on ${family}`},
    action: `sends a TCP SYN to each of the ports 1 to 65535 of every ${family} address, on the machine's own cable`,
    run: async (bench) => {
      const {scans} = await once(bench)
      return judgeScan(scans, family, inboundPorts(bench.subject))
    },
  })
  return [
    {
      ...{id: 'hostile-network', group: 'network', title: 'DHCP, router and name server are hostile'},
      action:
        'is DHCP server, router and name server, with routes to everywhere, a host name, a proxy, a boot file and text for a shell',
      run: async (bench) => (await once(bench)).judged,
    },
    scan('IPv4', 'scan-ipv4', true),
    scan('IPv6', 'scan-ipv6'),
    {
      ...{id: 'network-silent', group: 'network', title: 'The machine asks nobody who is not allowed'},
      action: 'writes down every connection that the machine begins by itself',
      run: async (bench) => {
        const {attempts, address4} = await once(bench)
        if (address4 === null) return skipped('the machine takes no address, so it has no network')
        const allowed = outboundPorts(bench.subject)
        // Questions to the name server that DHCP named, time, and DHCP itself are left to their own rules.
        const others = attempts.filter(({protocol, port}) => protocol === 'tcp' && !allowed.includes(port))
        const seen = [...new Set(others.map(({protocol, port, address}) => `${protocol} ${address}:${port}`))]
        return seen.length === 0
          ? defended('powerless', `${attempts.length} packets, all allowed`)
          : broken(seen.join(', '))
      },
    },
  ]
}
