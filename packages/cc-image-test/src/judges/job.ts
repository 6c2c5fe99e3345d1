import {failed, passed, type Verdict} from 'cc-core/report'

import {ofFacts, wordsOf} from './facts.js'
import {onWire, type Connections, type Outbound} from './network.js'
import {broken, defendedUnless, judgingAttack} from './outcome.js'

const unless = (problems: readonly string[], reason: string) => defendedUnless(problems, 'powerless', reason)

/** `name:answer` words. The name may have colons. */
const answers = (text: string) =>
  new Map(wordsOf(text).map((word) => [word.slice(0, word.lastIndexOf(':')), word.slice(word.lastIndexOf(':') + 1)]))

/** Answers that say no; any other one was given by what is behind the wall. */
const refusals = ['EPERM', 'EACCES', 'ENOSYS']

/** Every one of `names` has to be answered, and by a refusal. */
function refused(text: string, names: readonly string[], more: readonly string[] = []): string[] {
  const said = answers(text)
  return names.flatMap((name) => {
    const answer = said.get(name)
    if (answer === undefined || answer === '') return [`${name} was not tried`]
    return [...refusals, ...more].includes(answer) ? [] : [`${name}: ${answer}`]
  })
}

export const judgeJobIdentity = ofFacts('identity')(({identity}, expected: {uid: number; gid: number}) => {
  const said = answers(identity)
  const wanted: [string, RegExp][] = [
    ['uid', new RegExp(`^${expected.uid}$`)],
    ['gid', new RegExp(`^${expected.gid}$`)],
    ...['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'].map((name): [string, RegExp] => [name, /^0{16}$/]),
    ['NoNewPrivs', /^1$/],
    ['Seccomp', /^2$/],
  ]
  return unless(
    wanted.flatMap(([name, form]) =>
      form.test(said.get(name) ?? '') ? [] : [`${name} is '${said.get(name) ?? 'missing'}'`],
    ),
    'an ordinary user without capabilities, no new privileges, calls filtered',
  )
})

/** What nobody but root needs to read. */
export const secretPlaces = [
  ...['/run/cc/boot.conf', '/run/cc', '/etc/cc', '/etc/cc/keys', '/etc/shadow', '/boot', '/mnt/cc/ro/keys'],
  ...[
    '/proc/1/environ',
    '/proc/1/mem',
    '/proc/1/maps',
    '/proc/kcore',
    '/proc/kmsg',
    '/dev/kmsg',
    '/dev/mem',
    '/dev/port',
  ],
  ...['/run/log/journal', '/var/log/journal', '/var/log', '/sys/firmware/acpi/tables', '/sys/firmware/qemu_fw_cfg'],
  ...['/sys/firmware/efi', '/sys/kernel/debug', '/sys/kernel/tracing', '/sys/fs/bpf', '/root'],
] as const

/** An answer of ENOENT: nothing is there, or it is empty. */
export const judgeJobSecrets = ofFacts(
  'secrets',
  'other-processes',
  'addresses-of-kernel',
)((facts) =>
  unless(
    [
      ...refused(facts.secrets, secretPlaces, ['ENOENT', 'ENOTDIR']),
      ...wordsOf(facts['other-processes']).map((pid) => `it sees the process ${pid} of another user`),
      ...(facts['addresses-of-kernel'] === '0' ? [] : [`kallsyms shows ${facts['addresses-of-kernel']} addresses`]),
    ],
    `${secretPlaces.length} places, no process of others, no address of the kernel`,
  ),
)

/** The kit of the site is FLARE's own, and its code runs as FLARE: that remains. Any other private key may not be read. */
export const judgeJobKeys = ofFacts('private-keys')((facts, expected: {workspace: string}) => {
  const found = wordsOf(facts['private-keys'])
  const own = [`${expected.workspace}/startup/`, `${expected.workspace}/local/`, '/mnt/cc/ro/kit/']
  const others = found.filter((path) => !own.some((folder) => path.startsWith(folder)))
  // The kit has one: a search that does not find it sees nothing.
  if (found.length === 0) return broken('it did not find the key of the kit either: the search proves nothing')
  return unless(
    others.map((path) => `it can read the private key ${path}`),
    `only that of FLARE itself, which remains: ${found.join(', ')}`,
  )
})

export const judgeJobWrites = ofFacts(
  'writable',
  'special-files',
)((facts, expected: {workspace: string; output: string}) => {
  const found = wordsOf(facts.writable)
  const {workspace, output} = expected
  const own = [workspace, `${workspace}/tmp`, output, '/tmp', '/tmp/nvflare', '/var/tmp', '/dev/shm', '/applog']
  if (!found.includes(expected.workspace))
    return broken(`it could not write ${expected.workspace} either: nothing is proved`)
  return unless(
    [
      ...found.filter((path) => !own.includes(path)).map((path) => `it can write ${path}`),
      ...wordsOf(facts['special-files']),
    ],
    found.join(', '),
  )
})

export const judgeJobExecution = ofFacts(
  'writable',
  'executable',
)((facts) =>
  wordsOf(facts.writable).length === 0
    ? broken('it could write nowhere: nothing is proved')
    : unless(
        wordsOf(facts.executable).map((word) => `what it writes it can execute: ${word}`),
        `nothing that it writes to ${wordsOf(facts.writable).join(', ')}`,
      ),
)

export const refusedCalls = [
  ...['io_uring_setup', 'bpf', 'perf_event_open', 'userfaultfd', 'add_key', 'keyctl', 'request_key', 'ptrace'],
  ...[
    'process_vm_readv',
    'kcmp',
    'mount',
    'umount',
    'fsopen',
    'move_mount',
    'open_tree',
    'mount_setattr',
    'pivot_root',
  ],
  ...[
    'chroot',
    'unshare-user',
    'unshare-mount',
    'unshare-net',
    'setns',
    'init_module',
    'finit_module',
    'delete_module',
  ],
  ...['kexec_load', 'reboot', 'swapon', 'open_by_handle_at', 'acct', 'settimeofday', 'clock_settime', 'sethostname'],
  ...['iopl', 'ioperm', 'quotactl', 'fanotify_init', 'syslog', 'personality', 'setuid', 'setgroups', 'lookup_dcookie'],
  ...['modify_ldt', 'vhangup', 'pidfd_getfd'],
] as const

export const judgeJobCalls = ofFacts('calls')(({calls}) =>
  unless(refused(calls, refusedCalls), `${refusedCalls.length} calls are refused`),
)

const families = [
  'PACKET',
  'KEY',
  'RDS',
  'CAN',
  'TIPC',
  'BLUETOOTH',
  'ALG',
  'VSOCK',
  'QIPCRTR',
  'SMC',
  'XDP',
  'X25',
  'AX25',
]

export const judgeJobSockets = ofFacts(
  'families',
  'raw-socket',
  'sockets',
)((facts, expected: {netlink: boolean}) => {
  const said = answers(facts.families)
  // A family that the kernel does not have is refused all the same.
  const unknown = ['EAFNOSUPPORT', 'ESOCKTNOSUPPORT', 'EPROTONOSUPPORT', 'EINVAL']
  const journal = /^\/run\/systemd\/(journal\/(socket|stdout|dev-log|syslog)|notify|resolve\/\S+)$/
  return unless(
    [
      ...['UNIX', 'INET']
        .filter((name) => said.get(name) !== 'done')
        .map((name) => `AF_${name} is ${said.get(name) ?? 'missing'}`),
      ...refused(facts.families, [...families, ...(expected.netlink ? [] : ['NETLINK'])], unknown).map(
        (text) => `AF_${text}`,
      ),
      ...(refusals.includes(facts['raw-socket']) ? [] : [`a raw socket: ${facts['raw-socket']}`]),
      ...wordsOf(facts.sockets)
        .filter((path) => !journal.test(path))
        .map((path) => `it can talk to ${path}`),
    ],
    `${families.length} families are refused; of the services only the journal answers`,
  )
})

/** Devices of which every process has its own view; 5:2 is ptmx. */
const ordinary =
  /^\/dev\/(null|zero|full|u?random|tty|ptmx|char\/(1:[35789]|5:2)|pts\/\S+|shm\/\S+|nvidia\S*|std(in|out|err)|fd\/\S+|core)$/

export const judgeJobDevices = ofFacts('devices')(({devices}) => {
  if (!wordsOf(devices).includes('/dev/null'))
    return broken('it did not find /dev/null either: the search proves nothing')
  return unless(
    wordsOf(devices)
      .filter((path) => !ordinary.test(path))
      .map((path) => `it can open ${path}`),
    wordsOf(devices).join(', '),
  )
})

/** Ports that may be reached, that may not, and those at which a rule of the site names the metadata service itself. */
export interface JobPorts extends Outbound {
  allowed: readonly number[]
  forbidden: readonly number[]
  metadata: readonly number[]
  /** The address at which they are tried. */
  host: string
}

/** What a port says that is closed. Anything else, such as a network that is not there, was no try. */
const closedPort = ['TimeoutError', 'ETIMEDOUT', 'EPERM', 'EACCES', 'ECONNREFUSED']
const metadataService = '169.254.169.254'

export const judgeJobNetwork = judgingAttack<Connections>(
  'facts',
  'attempts',
)(({facts, attempts}, expected: JobPorts) => {
  const {allowed, forbidden, metadata, host} = expected
  const may = answers(facts['out-allowed'] ?? '')
  const ways = answers(facts['ways'] ?? '')
  const said = (port: number) => may.get(String(port)) ?? 'not tried'
  const seen = (port: number) => attempts.some((one) => one.protocol === 'tcp' && one.port === port)
  const open = (text: string | undefined, ports: readonly number[], about: string) =>
    ports.flatMap((port) => {
      const answer = answers(text ?? '').get(String(port)) ?? 'not tried'
      return closedPort.includes(answer) ? [] : [`${about} ${port}: ${answer}`]
    })
  const missing = ['ways', 'out-allowed', 'out-forbidden', 'out-metadata'].filter((name) => facts[name] === undefined)
  // What is open to all must not open the metadata service.
  const service = [...new Set([80, ...allowed])].filter((port) => !metadata.includes(port))
  return unless(
    [
      ...missing.map((name) => `the probe did not say: ${name}`),
      // The address of its own from which it would send there: only a machine with a route has one.
      ...[host, metadataService]
        .filter((address) => !/^\d+(\.\d+){3}$/.test(ways.get(address) ?? ''))
        .map((address) => `it has no way to ${address}: ${ways.get(address) ?? 'not tried'}`),
      ...allowed.filter((port) => said(port) !== 'done').map((port) => `allowed port ${port}: ${said(port)}`),
      ...allowed.filter((port) => !seen(port)).map((port) => `allowed port ${port}: no packet is on the wire`),
      ...open(facts['out-forbidden'], forbidden, 'forbidden port'),
      ...open(facts['out-metadata'], service, `${metadataService} port`),
      ...(forbidden.length === 0 ? ['no forbidden port was tried'] : []),
      ...(attempts.length === 0 ? ['not one packet of the machine was seen'] : []),
      ...onWire(attempts, expected).map((packet) => `a packet to ${packet} is on the wire`),
    ],
    `port ${allowed.join(', ') || 'none'} only; neither ${forbidden.join(', ')} nor the metadata service`,
  )
})

export interface JobLimits {
  tasks: number
  openFiles: number
}

export const judgeJobLimits = ofFacts(
  'limits',
  'files-taken',
  'tasks-taken',
  'memory-taken',
  'rooms',
)((facts, {tasks, openFiles}: JobLimits) => {
  const said = answers(facts.limits)
  const number = (name: string) => (/^\d+$/.test(said.get(name) ?? '') ? Number(said.get(name)) : NaN)
  const taken = (text: string) => Number(/^(\d+) (ended|killed)$/.exec(text)?.[1] ?? NaN)
  const total = number('total')
  const rooms = [...answers(facts.rooms)].filter(([path]) => ['/tmp', '/var/tmp', '/dev/shm'].includes(path))
  const checks: [boolean, string][] = [
    [number('tasks') <= tasks, `the bound of tasks is '${said.get('tasks') ?? ''}', not ${tasks}`],
    [number('memory') <= total, `the bound of memory is '${said.get('memory') ?? ''}'`],
    [number('swap') === 0, `swap is '${said.get('swap') ?? ''}'`],
    [number('core') === 0, `a core may have '${said.get('core') ?? ''}' bytes`],
    [number('files') <= openFiles, `it may open '${said.get('files') ?? ''}' files, not ${openFiles}`],
    [taken(facts['files-taken']) < openFiles, `it opened ${facts['files-taken']}`],
    [taken(facts['tasks-taken']) < tasks, `it started ${facts['tasks-taken']} threads`],
    [/^\d+ killed$/.test(facts['memory-taken']), `it took ${facts['memory-taken']} MiB of memory, and was not stopped`],
    [taken(facts['memory-taken']) * 1024 ** 2 <= total, `it took ${facts['memory-taken']} MiB of ${total} bytes`],
    [rooms.length === 3, `it did not say how large /tmp, /var/tmp and /dev/shm are`],
    ...rooms.map(([path, bytes]): [boolean, string] => [
      Number(bytes) < total,
      `${path} has ${bytes} bytes of ${total}`,
    ]),
  ]
  return unless(
    checks.flatMap(([holds, text]) => (holds ? [] : [text])),
    `stopped at ${facts['files-taken']} files, ${facts['tasks-taken']} threads, ${facts['memory-taken']} MiB`,
  )
})

/** Exposure by systemd-analyze, 0 to 10. */
export const exposureBound = 2

/** The last words of systemd-analyze about the unit. */
export function judgeExposure({said}: {said?: string | undefined}): Verdict {
  const score = /exposure level for nvflare\.service: (\d+(?:\.\d+)?)\s/.exec(said ?? '')?.[1]
  if (score === undefined) return failed('systemd-analyze did not say how exposed nvflare.service is')
  return Number(score) <= exposureBound
    ? passed(`${score} of 10; at most ${exposureBound}`)
    : failed(`${score} of 10, more than ${exposureBound}`)
}
