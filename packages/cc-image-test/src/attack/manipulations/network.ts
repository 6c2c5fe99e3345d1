import {setTimeout as sleep} from 'node:timers/promises'

import type {BootResult} from 'cc-core/vm'

import {describeExit} from '../../judges/console-text.js'
import {judgeScan, judgeSilence, mayEnter, type Scan} from '../../judges/network.js'
import {judgeBoot, type Bench} from '../bench.js'
import type {Manipulation} from '../manipulation.js'
import {inboundRules, outboundOf} from '../ports.js'
import {guestMac, HostileHost, ownAddresses} from '../wire/host.js'
import {layWire} from '../wire/wire.js'

/** What one boot on the wire of a hostile host showed. */
interface WireBoot {
  result: BootResult
  scans: Scan[]
  attempts: HostileHost['attempts']
  address4: string | null
}

/** How long the service of a site may take to listen, after the machine has said that it is hardened. */
const servicePatienceMs = 120_000

/** One boot for all of them: the scans take their time. */
function wireBoot(families: () => readonly Scan['family'][]): (bench: Bench) => Promise<WireBoot> {
  let booting: Promise<WireBoot> | undefined
  return (bench) => (booting ??= boot(bench, families()))
}

async function boot(bench: Bench, families: readonly Scan['family'][]): Promise<WireBoot> {
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
        const rules = inboundRules(bench.subject)
        const from = ownAddresses[0]
        const awaited = rules.filter(
          ({protocol, port}) => protocol === 'tcp' && mayEnter({protocol, port, from}, rules),
        )
        if (host.address4 !== null)
          await Promise.all(awaited.map(({port}) => host.awaitOpen(v4, port, servicePatienceMs, signal)))
        const addresses = [
          ...(host.address4 === null ? [] : [['IPv4', host.address4, v4] as const]),
          ...[...host.addresses6.entries()].slice(0, 2).map(([address, bytes]) => ['IPv6', address, bytes] as const),
        ]
        for (const [family, address, bytes] of addresses.filter(([family]) => families.includes(family))) {
          for (const protocol of ['tcp', 'udp'] as const)
            scans.push({family, protocol, address, ...(await host.scan(bytes, protocol, signal))})
        }
      },
    })
    if (result.matched === null) throw new Error(describeExit(result))
    return {result, scans, attempts: host.attempts, address4: host.address4}
  } finally {
    wire.close()
  }
}

/**
 * @param wanted which of them are tried. Only their families are scanned, but for a machine whose own packets are counted:
 *   it is watched for as long as all scans take
 */
export function networkManipulations(wanted: (manipulation: Manipulation) => boolean): Manipulation[] {
  const once = wireBoot(() =>
    scans.filter(({manipulation}) => wanted(silent) || wanted(manipulation)).map(({family}) => family),
  )
  const scan = (family: Scan['family'], id: string, quick = false): Manipulation => ({
    ...{id, quick, group: 'network', title: `Just the allowed ports answer on ${family}`},
    action: `sends a TCP SYN and a UDP datagram to each of the ports 1 to 65535 of every ${family} address, on the machine's own cable`,
    run: async (bench) => judgeScan(await once(bench), {family, allowed: inboundRules(bench.subject)}),
  })
  const scans = [
    {family: 'IPv4', manipulation: scan('IPv4', 'scan-ipv4', true)},
    {family: 'IPv6', manipulation: scan('IPv6', 'scan-ipv6')},
  ] as const
  const silent: Manipulation = {
    ...{id: 'network-silent', group: 'network', title: 'The machine asks nobody who is not allowed'},
    action: 'writes down every packet that the machine sends by itself, whichever protocol it is',
    run: async (bench) => judgeSilence(await once(bench), outboundOf(bench.subject)),
  }
  return [
    {
      ...{id: 'hostile-network', group: 'network', title: 'DHCP, router and name server are hostile'},
      action:
        'is DHCP server, router and name server, with routes to everywhere, a host name, a proxy, a boot file and text for a shell',
      run: async (bench) => {
        const because =
          'routes, names and servers of a hostile network change nothing of what the machine says of itself'
        return judgeBoot(bench, (await once(bench)).result, {powerless: true, because})
      },
    },
    ...scans.map(({manipulation}) => manipulation),
    silent,
  ]
}
