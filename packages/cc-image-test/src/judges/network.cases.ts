import type {CasesOf} from '../fixtures/cases.js'
import type {Attempt, Scan} from './network.js'

const scan = (change: Partial<Scan> = {}): Scan => ({
  ...{family: 'IPv4', protocol: 'tcp', address: '10.77.0.15', from: '10.77.0.2', asked: 65_535},
  ...{open: [], refused: [], lost: 0},
  ...change,
})
const both = (change: Partial<Scan> = {}) => ({scans: [scan(change), scan({...change, protocol: 'udp'})]})
const v4 = {family: 'IPv4', allowed: []} as const
const server = {family: 'IPv4', allowed: [{port: 8002, protocol: 'tcp', cidr: null}]} as const
const serverFor = (cidr: string) => ({...server, allowed: [{...server.allowed[0], cidr}]})

const outbound = {
  rules: [
    {port: 8002, protocol: 'tcp', cidr: null},
    {port: 123, protocol: 'udp', cidr: '10.0.0.0/8'},
    {port: 443, protocol: 'tcp', cidr: 'fd00::/8'},
    {port: 80, protocol: 'tcp', cidr: '169.254.169.254/32'},
    {port: 81, protocol: 'tcp', cidr: '169.0.0.0/8'},
  ],
  resolvers: ['10.77.0.2', 'fe80:0:0:0:5054:ff:fe77:2'],
  dhcp: '10.77.0.2',
} as const
const attempt = (protocol: Attempt['protocol'], address: string, port: number): Attempt => ({protocol, address, port})
const usual = [
  attempt('udp', '255.255.255.255', 67),
  attempt('udp', 'ff02:0:0:0:0:0:1:2', 547),
  attempt('udp', '10.77.0.2', 53),
  // systemd-resolved, after a name server that does not answer by UDP.
  attempt('tcp', '10.77.0.2', 53),
  attempt('tcp', 'fe80:0:0:0:5054:ff:fe77:2', 53),
  attempt('tcp', '1.2.3.4', 8002),
  attempt('udp', '10.1.2.3', 123),
  attempt('tcp', 'fd00:0:0:0:0:0:0:1', 443),
  attempt('tcp', '169.254.169.254', 80),
  attempt('tcp', '169.1.2.3', 81),
]
const wire = (...more: Attempt[]) => ({attempts: [...usual, ...more], address4: '10.77.0.15'})
const strangers: Readonly<Record<string, readonly [Attempt, RegExp]>> = {
  'a TCP port that is not allowed': [attempt('tcp', '1.2.3.4', 443), /tcp 1\.2\.3\.4:443/],
  'a UDP port that is not allowed': [attempt('udp', '1.2.3.4', 4444), /udp 1\.2\.3\.4:4444/],
  'the number of an allowed port by the other protocol': [attempt('udp', '1.2.3.4', 8002), /udp 1\.2\.3\.4:8002/],
  'an allowed port of another network': [attempt('udp', '11.0.0.1', 123), /udp 11\.0\.0\.1:123/],
  'another name server': [attempt('udp', '8.8.8.8', 53), /udp 8\.8\.8\.8:53/],
  'another name server by TCP': [attempt('tcp', '8.8.8.8', 53), /tcp 8\.8\.8\.8:53/],
  'another port of the name server': [attempt('tcp', '10.77.0.2', 853), /tcp 10\.77\.0\.2:853/],
  'a port that is open to all, of a metadata service': [attempt('tcp', '169.254.169.254', 8002), /169.*:8002/],
  'the same on IPv6': [attempt('tcp', 'fe80:0:0:0:0:0:0:1', 8002), /fe80.*:8002/],
  'a port of a larger network, of a metadata service': [attempt('tcp', '169.254.169.254', 81), /169.*:81/],
  'a ping': [attempt('echo', '1.2.3.4', 0), /echo 1\.2\.3\.4/],
  'another protocol of IP': [attempt('ip-132', '1.2.3.4', 0), /ip-132 1\.2\.3\.4/],
  'another protocol to the name server': [attempt('ip-132', '10.77.0.2', 53), /ip-132 10\.77\.0\.2/],
  'a frame that is not of IP': [attempt('ether-0x88b5', 'ff:ff:ff:ff:ff:ff', 0), /ether-0x88b5 ff:/],
}

const ports = [22, 443]
const forbidden = {...outbound, ports, four: '10.77.0.2', six: '2001:db8:77::2'}
const said = (change = {}, ...more: Attempt[]) => ({
  facts: {
    ...{addresses4: '10.77.0.15', routes4: 'eth0:00000000/00000000', way4: 'yes'},
    ...{addresses6: 'eth0:fe80', routes6: 'eth0:fe80/40', way6: 'yes'},
    ...{'out-forbidden': '22:timeout 443:denied', 'out-forbidden6': '22:refused 443:timeout'},
    ...{'udp-forbidden': '22:denied 443:denied', 'udp-forbidden6': '22:sent 443:denied'},
    ...change,
  },
  attempts: [...usual, ...more],
})
const without6 = {way6: 'no', 'out-forbidden6': '22:unreachable 443:unreachable', 'udp-forbidden6': '22:unreachable'}

export const cases: CasesOf<typeof import('./network.js')> = {
  judgeScan: {
    good: [
      [both(), v4],
      [{scans: [scan({open: [8002]}), scan({protocol: 'udp'})]}, server],
      [both({lost: 8}), v4],
      [{scans: [scan({open: [8002]}), scan({protocol: 'udp'})]}, serverFor('10.0.0.0/8')],
    ],
    bad: {
      'an open port': [{scans: [scan({open: [22]}), scan({protocol: 'udp'})]}, server, /tcp ports .*: 22$/],
      'a port that says that it is closed': [{scans: [scan({refused: [23]}), scan({protocol: 'udp'})]}, v4, /23/],
      'an open port of UDP': [{scans: [scan(), scan({protocol: 'udp', open: [161]})]}, v4, /udp ports .*161/],
      'the number of an allowed port by UDP': [
        {scans: [scan(), scan({protocol: 'udp', open: [8002]})]},
        server,
        /8002/,
      ],
      'all ports': [both({refused: Array.from({length: 65_535}, (_, index) => index + 1)}), v4, /\(65535\)/],
      'a port that is allowed to another network only': [
        {scans: [scan({open: [8002]}), scan({protocol: 'udp'})]},
        serverFor('192.0.2.0/24'),
        /tcp ports .*: 8002$/,
      ],
      'a second address that answers': [
        {scans: [...both().scans, ...both({address: '10.77.0.16', open: [80]}).scans]},
        v4,
        /10\.77\.0\.16 answers/,
      ],
    },
    missing: {
      'no scan': [{scans: []}, v4],
      'only the other family': [both({family: 'IPv6'}), v4],
      'only TCP': [{scans: [scan()]}, v4],
      'a scan that lacks one port': [both({asked: 65_534}), v4],
      'a machine that did not keep up': [both({lost: 9}), v4],
    },
  },
  judgeSilence: {
    good: [[wire(), outbound]],
    bad: Object.fromEntries(
      Object.entries(strangers).map(([name, [packet, text]]) => [name, [wire(packet), outbound, text] as const]),
    ),
    missing: {
      'no address': [{...wire(), address4: null}, outbound],
      'not one packet': [{...wire(), attempts: []}, outbound],
    },
  },
  judgeForbidden: {
    good: [
      [said(), forbidden],
      [said({...without6, addresses6: '', routes6: ''}), forbidden],
      // Of a rule that names the network of our IPv4 address, the other address is forbidden.
      [
        said({'out-forbidden': '22:open 443:timeout'}),
        {...forbidden, rules: [...outbound.rules, {port: 22, protocol: 'tcp', cidr: '10.0.0.0/8'}]},
      ],
    ],
    bad: {
      'an open port': [said({'out-forbidden': '22:timeout 443:open'}), forbidden, /443:open/],
      'an open port on IPv6': [said({'out-forbidden6': '22:open 443:timeout'}), forbidden, /22:open/],
      'an open port of a rule for another network': [
        said({'out-forbidden': '22:open 443:timeout'}),
        {...forbidden, rules: [{port: 22, protocol: 'tcp', cidr: '192.0.2.0/24'}]},
        /out-forbidden 22:open/,
      ],
      'no program that could send': [
        said({'out-forbidden': '22:unknown 443:unknown'}),
        forbidden,
        /out-forbidden 22:unknown/,
      ],
      'a network that is not there': [said({'out-forbidden': '22:unreachable 443:timeout'}), forbidden, /22:unreach/],
      'datagrams that went nowhere': [said({'udp-forbidden': '22:unreachable 443:sent'}), forbidden, /22:unreach/],
      'no address': [said({addresses4: ''}), forbidden, /no address of IPv4/],
      'no route': [said({routes4: ''}), forbidden, /no route of IPv4/],
      'no way to the host': [said({way4: 'no'}), forbidden, /no way .* IPv4/],
      'an address of IPv6, and no way to the host': [said(without6), forbidden, /no way .* IPv6/],
      ...Object.fromEntries(
        Object.entries(strangers).map(([name, [packet, text]]) => [name, [said({}, packet), forbidden, text] as const]),
      ),
    },
    missing: {
      'nothing was tried': [said({'out-forbidden': ''}), forbidden],
      'no port': [said(), {...forbidden, ports: []}],
      'no datagram was sent': [said({'udp-forbidden': '22:sent'}), forbidden],
      'only the request is told': [said({'udp-forbidden': '22 443'}), forbidden],
      'one port was not tried': [said({'out-forbidden6': '22:timeout'}), forbidden],
      'nothing of IPv6': [said({addresses6: undefined}), forbidden],
      'nothing of the routes of IPv6': [said({routes6: undefined}), forbidden],
      'the probe did not say': [said({'out-forbidden': undefined}), forbidden],
      'not one packet': [{...said(), attempts: []}, forbidden],
    },
  },
  judgeAllowed: {
    good: [[{facts: {'out-allowed': '8002:open'}, attempts: [attempt('tcp', '10.77.0.2', 8002)]}, {ports: [8002]}]],
    bad: {
      'a closed port': [
        {facts: {'out-allowed': '8002:closed'}, attempts: [attempt('tcp', '10.77.0.2', 8002)]},
        {ports: [8002]},
        /not connected: 8002/,
      ],
      'a port that the wire has not seen': [
        {facts: {'out-allowed': '8002:open'}, attempts: [attempt('udp', '10.77.0.2', 8002)]},
        {ports: [8002]},
        /not connected: 8002/,
      ],
    },
    missing: {
      'the probe did not say': [{facts: {}, attempts: [attempt('tcp', '10.77.0.2', 8002)]}, {ports: [8002]}],
      'no port was tried': [{facts: {'out-allowed': ''}, attempts: []}, {ports: []}],
    },
  },
}
