import type {CasesOf} from '../fixtures/cases.js'
import {refusedCalls, secretPlaces} from './job.js'
import type {Attempt} from './network.js'

const all = (names: readonly string[], answer: string) => names.map((name) => `${name}:${answer}`).join(' ')
const user = {uid: 1000, gid: 1000}
const zero = '0'.repeat(16)
const identity = `uid:1000 gid:1000 CapEff:${zero} CapPrm:${zero} CapBnd:${zero} CapAmb:${zero} NoNewPrivs:1 Seccomp:2`
const secrets = {secrets: all(secretPlaces, 'EACCES'), 'other-processes': '', 'addresses-of-kernel': '0'}
const place = {workspace: '/vault/workspace', output: '/mnt/data/nvflare/output'}
const key = '/vault/workspace/startup/client.key'
const writes = {writable: '/vault/workspace /tmp', 'special-files': ''}
const calls = all(refusedCalls, 'EPERM')
const families = `UNIX:done INET:done INET6:done ${all(['NETLINK', 'PACKET', 'KEY', 'RDS', 'CAN', 'TIPC', 'BLUETOOTH', 'ALG', 'VSOCK', 'QIPCRTR', 'SMC', 'XDP', 'X25', 'AX25'], 'EAFNOSUPPORT')}`
const sockets = {families, 'raw-socket': 'EPERM', sockets: '/run/systemd/journal/socket'}
const netlink = {netlink: false}
const rule = {port: 8002, protocol: 'tcp', cidr: null} as const
const outbound = {rules: [rule], resolvers: ['10.77.0.2'], dhcp: '10.77.0.2'}
const ports = {...outbound, host: '10.77.0.2', allowed: [8002], forbidden: [22, 80], metadata: []}
const networkFacts = {
  ways: '10.77.0.2:10.77.0.15 169.254.169.254:10.77.0.15',
  'out-allowed': '8002:done',
  'out-forbidden': '22:TimeoutError 80:EPERM',
  'out-metadata': '80:EPERM 8002:ETIMEDOUT',
}
const packets: Attempt[] = [
  {protocol: 'udp', address: '255.255.255.255', port: 67},
  {protocol: 'tcp', address: '10.77.0.2', port: 8002},
]
const network = (change = {}, ...more: Attempt[]) => ({
  facts: {...networkFacts, ...change},
  attempts: [...packets, ...more],
})
const limit = {tasks: 8192, openFiles: 65536}
const gigabyte = 1024 ** 3
const limits = {
  limits: `tasks:8192 memory:${gigabyte} swap:0 total:${2 * gigabyte} files:65536 core:0`,
  'files-taken': '65530 ended',
  'tasks-taken': '8100 ended',
  'memory-taken': '900 killed',
  rooms: `/vault/workspace:${99 * gigabyte} /tmp:${gigabyte / 2} /var/tmp:${gigabyte / 2} /dev/shm:${gigabyte / 2}`,
}
const said = (score: string) => `→ Overall exposure level for nvflare.service: ${score} OK 🙂\n`

/** Evidence for each judge; the last of a bad case is what it has to say. */
export const cases: CasesOf<typeof import('./job.js')> = {
  judgeJobIdentity: {
    good: [[{identity}, user]],
    bad: {
      root: [{identity: identity.replace('uid:1000', 'uid:0')}, user, /uid is '0'/],
      'a capability': [{identity: identity.replace(`CapBnd:${zero}`, 'CapBnd:000001ffffffffff')}, user, /CapBnd/],
      'new privileges': [{identity: identity.replace('NoNewPrivs:1', 'NoNewPrivs:0')}, user, /NoNewPrivs/],
      'no filter of calls': [{identity: identity.replace('Seccomp:2', 'Seccomp:0')}, user, /Seccomp/],
    },
    missing: {'nothing of capabilities': [{identity: 'uid:1000 gid:1000'}, user], empty: [{identity: ''}, user]},
  },
  judgeJobSecrets: {
    good: [[secrets], [{...secrets, secrets: all(secretPlaces, 'ENOENT')}]],
    bad: {
      'boot.conf': [
        {...secrets, secrets: secrets.secrets.replace('boot.conf:EACCES', 'boot.conf:done')},
        /boot\.conf: done/,
      ],
      'a process of root': [{...secrets, 'other-processes': '1 2'}, /process 1/],
      'addresses of the kernel': [{...secrets, 'addresses-of-kernel': '99'}, /99 addresses/],
    },
    missing: {'a place that was not tried': [{...secrets, secrets: all(secretPlaces.slice(1), 'EACCES')}]},
  },
  judgeJobKeys: {
    good: [[{'private-keys': key}, place]],
    bad: {'a key of a disk': [{'private-keys': `${key} /mnt/cc/ro/keys/input.key`}, place, /input\.key/]},
    missing: {'it does not find its own': [{'private-keys': ''}, place]},
  },
  judgeJobWrites: {
    good: [[writes, place]],
    bad: {
      'a system folder': [{...writes, writable: '/vault/workspace /etc'}, place, /it can write \/etc/],
      'the start-up kit': [{...writes, writable: '/vault/workspace /vault/workspace/startup'}, place, /startup/],
      'a setuid bit': [{...writes, 'special-files': '/tmp:setuid'}, place, /\/tmp:setuid/],
    },
    missing: {'it wrote nowhere': [{...writes, writable: ''}, place]},
  },
  judgeJobExecution: {
    good: [[{writable: '/tmp', executable: ''}]],
    bad: {
      'a program in /tmp': [{writable: '/tmp', executable: '/tmp:exec'}, /\/tmp:exec/],
      'a library in /tmp': [{writable: '/tmp', executable: '/tmp:map'}, /\/tmp:map/],
    },
    missing: {'it wrote nowhere': [{writable: '', executable: ''}]},
  },
  judgeJobCalls: {
    good: [[{calls}]],
    bad: {
      'io_uring works': [
        {calls: calls.replace('io_uring_setup:EPERM', 'io_uring_setup:EFAULT')},
        /io_uring_setup: EFAULT/,
      ],
      'a user name space': [{calls: calls.replace('unshare-user:EPERM', 'unshare-user:done')}, /unshare-user: done/],
    },
    missing: {'a call that was not tried': [{calls: all(refusedCalls.slice(1), 'EPERM')}], empty: [{calls: ''}]},
  },
  judgeJobSockets: {
    good: [
      [sockets, netlink],
      [{...sockets, families: families.replace('NETLINK:EAFNOSUPPORT', 'NETLINK:done')}, {netlink: true}],
    ],
    bad: {
      netlink: [
        {...sockets, families: families.replace('NETLINK:EAFNOSUPPORT', 'NETLINK:done')},
        netlink,
        /AF_NETLINK: done/,
      ],
      vsock: [{...sockets, families: families.replace('VSOCK:EAFNOSUPPORT', 'VSOCK:done')}, netlink, /AF_VSOCK: done/],
      'a raw socket': [{...sockets, 'raw-socket': 'done'}, netlink, /raw socket/],
      'a service of systemd': [{...sockets, sockets: '/run/systemd/io.system.ManagedOOM'}, netlink, /ManagedOOM/],
      'the message bus': [{...sockets, sockets: '/run/dbus/system_bus_socket'}, netlink, /dbus/],
    },
    missing: {'it has no sockets at all': [{...sockets, families: ''}, netlink]},
  },
  judgeJobDevices: {
    good: [[{devices: '/dev/null /dev/urandom /dev/char/5:2 /dev/ptmx /dev/nvidia0'}]],
    bad: {
      'a disk': [{devices: '/dev/null /dev/vda'}, /\/dev\/vda/],
      'the console by its number': [{devices: '/dev/null /dev/char/5:1'}, /5:1/],
    },
    missing: {'no device at all': [{devices: ''}]},
  },
  judgeJobNetwork: {
    good: [
      [network(), ports],
      [
        network({'out-metadata': '80:done 8002:EPERM'}),
        {...ports, metadata: [80], rules: [rule, {port: 80, protocol: 'tcp', cidr: '169.254.169.254/32'}]},
      ],
      [network({'out-allowed': '', 'out-metadata': '80:ECONNREFUSED'}), {...ports, allowed: []}],
    ],
    bad: {
      'a forbidden port': [network({'out-forbidden': '22:done 80:EPERM'}), ports, /forbidden port 22/],
      'the metadata service': [network({'out-metadata': '80:EPERM 8002:done'}), ports, /169\.254\.169\.254 port 8002/],
      'an allowed port that is closed': [network({'out-allowed': '8002:TimeoutError'}), ports, /allowed port 8002/],
      'an allowed port that the wire has not seen': [
        {...network(), attempts: packets.slice(0, 1)},
        ports,
        /allowed port 8002: .* wire/,
      ],
      'no network': [
        network({
          ...{ways: '10.77.0.2:ENETUNREACH 169.254.169.254:ENETUNREACH', 'out-allowed': ''},
          ...{'out-forbidden': '22:ENETUNREACH 80:ENETUNREACH', 'out-metadata': '80:ENETUNREACH'},
        }),
        {...ports, allowed: []},
        /no way to 10\.77\.0\.2: ENETUNREACH/,
      ],
      'no way to the metadata service': [
        network({ways: '10.77.0.2:10.77.0.15 169.254.169.254:ENETUNREACH'}),
        ports,
        /no way to 169\.254\.169\.254/,
      ],
      'a port that was not reached for another reason': [
        network({'out-forbidden': '22:EHOSTUNREACH 80:EPERM'}),
        ports,
        /forbidden port 22: EHOSTUNREACH/,
      ],
      'a packet to a forbidden port': [
        network({}, {protocol: 'tcp', address: '10.77.0.2', port: 22}),
        ports,
        /tcp 10\.77\.0\.2:22 is on the wire/,
      ],
      'a packet to the metadata service': [
        network({}, {protocol: 'tcp', address: '169.254.169.254', port: 8002}),
        ports,
        /169\.254\.169\.254:8002 is on the wire/,
      ],
    },
    missing: {
      'a port that was not tried': [network({'out-forbidden': '22:EPERM'}), ports],
      'no port': [network(), {...ports, forbidden: []}],
      'the metadata service at an allowed port': [network({'out-metadata': '80:EPERM'}), ports],
      'the probe did not say where it could send': [network({ways: undefined}), ports],
      'the probe did not say': [network({'out-allowed': undefined}), ports],
      'not one packet': [
        {...network(), attempts: []},
        {...ports, allowed: []},
      ],
    },
  },
  judgeJobLimits: {
    good: [[limits, limit]],
    bad: {
      'no bound of tasks': [
        {...limits, limits: limits.limits.replace('tasks:8192', 'tasks:max')},
        limit,
        /tasks is 'max'/,
      ],
      'no bound of memory': [
        {...limits, limits: limits.limits.replace(`memory:${gigabyte}`, 'memory:max')},
        limit,
        /memory is 'max'/,
      ],
      swap: [{...limits, limits: limits.limits.replace('swap:0', 'swap:max')}, limit, /swap/],
      'more files': [{...limits, 'files-taken': '99999 ended'}, limit, /opened 99999/],
      'threads without end': [{...limits, 'tasks-taken': '9000 deadline'}, limit, /9000 deadline threads/],
      'memory without end': [{...limits, 'memory-taken': '900 deadline'}, limit, /was not stopped/],
      'a file system in memory without bound': [
        {...limits, rooms: limits.rooms.replace(`/tmp:${gigabyte / 2}`, `/tmp:${2 * gigabyte}`)},
        limit,
        /\/tmp has/,
      ],
    },
    missing: {
      'nothing of limits': [{...limits, limits: ''}, limit],
      'nothing of rooms': [{...limits, rooms: ''}, limit],
    },
  },
  judgeExposure: {
    good: [[{said: said('1.4')}]],
    bad: {'more than the bound': [{said: said('2.1')}, /2\.1 of 10, more than 2/]},
    missing: {'no score': [{said: 'Failed to load unit'}], empty: [{said: ''}]},
  },
}
