import type {Verdict} from 'cc-core/report'

import {ofFacts, wordsOf} from './facts.js'
import {broken, defended, defendedUnless} from './outcome.js'

/** Nothing may be named but what is listed. */
function onlyListed(found: string, listed: readonly string[], nothing: string): Verdict {
  const words = wordsOf(found)
  const others = words.filter((word) => !listed.includes(word))
  return defendedUnless(others, 'powerless', words.length === 0 ? nothing : `nothing but ${words.join(', ')}`)
}

const is = (found: string, expected: string, name: string, why: string): Verdict =>
  found === expected ? defended('powerless', why) : broken(`${name} is '${found}', not '${expected}'`)

export const judgeSetuid = ofFacts(
  'setuid',
  'capabilities',
)(({setuid, capabilities}, expected: {allowed: readonly string[]}) => {
  const others = wordsOf(setuid).filter((path) => !expected.allowed.includes(path))
  const capable = wordsOf(capabilities).map((path) => `${path} has a capability`)
  return defendedUnless(
    [...others, ...capable],
    'powerless',
    wordsOf(setuid).join(', ') || 'no file is setuid or setgid, or has a capability',
  )
})

export const judgeAccounts = ofFacts(
  'roots',
  'shells',
  'passwords',
  'login-keys',
)((facts) =>
  defendedUnless(
    [
      ...(wordsOf(facts.roots).includes('root') ? [] : ['there is no account root: nothing was read']),
      ...wordsOf(facts.roots).flatMap((name) => (name === 'root' ? [] : [`${name} has UID 0`])),
      ...wordsOf(facts.shells).map((name) => `${name} has a shell`),
      ...wordsOf(facts.passwords).map((name) => `${name} has a password`),
      ...wordsOf(facts['login-keys']).map((path) => `${path} may let somebody in`),
    ],
    'powerless',
    'nologin and locked, all of them; no key lets anybody in',
  ),
)

export const judgePrograms = ofFacts('programs')(({programs}) =>
  onlyListed(programs, [], 'no ssh, sudo, su, login, getty, cloud-init, compiler, debugger, apt'),
)

/** The host added ports: one that is not there, nobody could read. */
export const judgeLogins = ofFacts(
  'login-processes',
  'terminals',
  'ports',
)((facts, {port}: {port: string}) =>
  wordsOf(facts.ports).includes(port)
    ? onlyListed(
        `${facts['login-processes']} ${facts.terminals}`,
        [],
        `no process reads a terminal; there are ${facts.ports}`,
      )
    : broken(`the port ${port} of the host is not there: ${facts.ports || 'none is'}`),
)

/** Units that offer a shell; the probe asks for each of them. */
export const shellUnits = [
  ...['debug-shell.service', 'getty@tty1.service', 'serial-getty@ttyS0.service', 'serial-getty@hvc0.service'],
  ...['ssh.service', 'emergency.service', 'rescue.service', 'ctrl-alt-del.target'],
] as const

export const judgeShellUnits = ofFacts(
  'units',
  'emergency',
  'rescue',
)((facts) => {
  const words = wordsOf(facts.units)
  const states = new Map(words.map((word) => [word.slice(0, word.lastIndexOf(':')), word.split(':').at(-1)]))
  const problems = shellUnits.flatMap((unit) => {
    const state = states.get(unit)
    if (state === 'masked' || state === 'not-found') return []
    const name = unit === 'emergency.service' ? 'emergency' : unit === 'rescue.service' ? 'rescue' : null
    if (name === null || state !== 'loaded')
      return [`${unit} is ${state === undefined || state === '' ? 'not reported' : state}`]
    return facts[name] === '/usr/lib/cc/power-off' ? [] : [`${unit} runs ${facts[name] || 'nothing'}`]
  })
  return defendedUnless(problems, 'powerless', 'masked, or power off in its place')
})

export const judgeSwap = ofFacts(
  'swap',
  'swap-programs',
)(({swap, 'swap-programs': programs}) =>
  defendedUnless(
    [
      ...(swap === '' ? [] : [`/proc/swaps is '${swap}', not ''`]),
      ...wordsOf(programs).map((path) => `there is ${path}`),
    ],
    'powerless',
    'it is off; neither swapon nor mkswap is there',
  ),
)

/** A program has to have crashed: where none did, nothing is known of its core. */
export const judgeCores = ofFacts(
  'cores',
  'core-pattern',
  'crash',
)(({cores, crash, 'core-pattern': pattern}) => {
  if (crash !== '139') return broken(`the program that was to crash ended with status '${crash}', not 139`)
  return is(cores, '', 'the list of cores', `a program that crashes leaves nothing behind; core_pattern: ${pattern}`)
})

/** There has to have been a module to load, and the kernel has to say that none can be. */
export const judgeModules = ofFacts(
  'module-tried',
  'module-loaded',
  'sysctl.kernel.modules_disabled',
)((facts) => {
  const tried = facts['module-tried']
  if (!tried.includes('.ko')) return broken(`no module was there to try: '${tried}'`)
  const locked = facts['sysctl.kernel.modules_disabled']
  return defendedUnless(
    [
      ...(facts['module-loaded'] === '0' ? [] : [`${tried} was loaded`]),
      ...(locked === '1' ? [] : [`kernel.modules_disabled is '${locked}', not '1'`]),
    ],
    'powerless',
    `${tried} is refused`,
  )
})

export const judgeKernelMemory = ofFacts(
  'lockdown',
  'dev-mem',
)(({lockdown, 'dev-mem': memory}, expected: {lockdown: string}) => {
  const [, found] = /\[(\w+)\]/.exec(lockdown) ?? []
  return defendedUnless(
    [
      ...(found === expected.lockdown ? [] : [`lockdown is '${lockdown}', configured is '${expected.lockdown}'`]),
      ...(memory === 'no' ? [] : [`reading /dev/mem is '${memory}', not 'no'`]),
    ],
    'powerless',
    `lockdown is ${found ?? ''}`,
  )
})

/**
 * Values that are read back in the running machine: all that the duty sets. `absent`: a kernel may lack it.
 * https://docs.kernel.org/admin-guide/sysctl/
 */
export const sysctls: Readonly<Record<string, readonly string[]>> = {
  'kernel.modules_disabled': ['1'],
  'kernel.sysrq': ['0'],
  'kernel.ctrl-alt-del': ['0'],
  'kernel.core_pattern': ['|/bin/false'],
  'fs.suid_dumpable': ['0'],
  'kernel.kexec_load_disabled': ['1'],
  'kernel.dmesg_restrict': ['1'],
  'kernel.kptr_restrict': ['2', '1'],
  'kernel.perf_event_paranoid': ['3', '4'],
  'kernel.unprivileged_bpf_disabled': ['1', '2'],
  'kernel.io_uring_disabled': ['2', 'absent'],
  'kernel.yama.ptrace_scope': ['2', '1', '3'],
  'kernel.unprivileged_userns_clone': ['0', 'absent'],
  'user.max_user_namespaces': ['0'],
  'kernel.randomize_va_space': ['2'],
  'kernel.panic_on_oops': ['1'],
  'kernel.oops_limit': ['1', 'absent'],
  'kernel.warn_limit': ['10', 'absent'],
  'dev.tty.legacy_tiocsti': ['0', 'absent'],
  'dev.tty.ldisc_autoload': ['0'],
  'vm.unprivileged_userfaultfd': ['0', 'absent'],
  'vm.mmap_min_addr': ['65536'],
  'vm.overcommit_memory': ['0'],
  'fs.protected_hardlinks': ['1'],
  'fs.protected_symlinks': ['1'],
  'fs.protected_fifos': ['2'],
  'fs.protected_regular': ['2'],
  'net.core.bpf_jit_harden': ['2'],
  'net.ipv4.ip_forward': ['0'],
  'net.ipv4.tcp_syncookies': ['1'],
  'net.ipv4.icmp_echo_ignore_broadcasts': ['1'],
  'net.ipv4.conf.all.rp_filter': ['1', '2'],
  'net.ipv4.conf.default.rp_filter': ['1', '2'],
  'net.ipv4.conf.all.accept_redirects': ['0'],
  'net.ipv4.conf.default.accept_redirects': ['0'],
  'net.ipv4.conf.all.secure_redirects': ['0'],
  'net.ipv4.conf.default.secure_redirects': ['0'],
  'net.ipv4.conf.all.send_redirects': ['0'],
  'net.ipv4.conf.default.send_redirects': ['0'],
  'net.ipv4.conf.all.accept_source_route': ['0'],
  'net.ipv4.conf.default.accept_source_route': ['0'],
  'net.ipv6.conf.all.accept_redirects': ['0', 'absent'],
  'net.ipv6.conf.default.accept_redirects': ['0', 'absent'],
  'net.ipv6.conf.all.accept_source_route': ['0', 'absent'],
  'net.ipv6.conf.default.accept_source_route': ['0', 'absent'],
  'net.ipv6.conf.all.forwarding': ['0', 'absent'],
}

/** One that is not there is not in force. */
export const judgeSysctls = ofFacts(...Object.keys(sysctls).map((key) => `sysctl.${key}`))((facts) => {
  const wrong = Object.entries(sysctls).flatMap(([key, allowed]) => {
    const value = facts[`sysctl.${key}`] ?? ''
    return allowed.includes(value) ? [] : [`${key} is '${value}', not ${allowed.join(' or ')}`]
  })
  return defendedUnless(wrong, 'powerless', `${Object.keys(sysctls).length} read back`)
})

/** For an image whose root is read-only. */
export const judgeRoot = ofFacts(
  'lower',
  'lower-written',
)(({lower, 'lower-written': written}) => {
  if (!lower.split(',').includes('ro')) return broken(`the root is mounted '${lower}', not read-only`)
  return is(written, 'no', 'a write to it', 'read-only below the layer in memory')
})

/** Where disks may be mounted: each at a place of its own, and again where a place of the list is bound to. */
export interface ExpectedMounts {
  mounts: readonly string[]
  /** By path: places whose disk may be there, too. */
  bound: Readonly<Record<string, readonly string[]>>
}

export const judgeMounts = ofFacts(
  'mounted-disks',
  'other-mounts',
  'loose-mounts',
)((facts, {mounts, bound}: ExpectedMounts) => {
  const disks = wordsOf(facts['mounted-disks'])
  const at = (places: readonly string[]) => (text: string) => places.includes(text.slice(text.indexOf(':') + 1))
  const isBound = (text: string) =>
    Object.entries(bound).some(
      ([path, places]) =>
        at([path])(text) && disks.some((other) => at(places)(other) && other.split(':')[0] === text.split(':')[0]),
    )
  const problems = [
    ...disks.filter((text) => !at(mounts)(text) && !isBound(text)).map((text) => `${text} is mounted`),
    // The layer in memory is no disk.
    ...wordsOf(facts['other-mounts']).flatMap((text) => (text === 'overlay:/' ? [] : [`${text} is mounted`])),
    ...wordsOf(facts['loose-mounts']).map((text) => `${text} lets devices or setuid in`),
  ]
  if (disks.length === 0) problems.push('no disk is mounted: that cannot be')
  return defendedUnless(problems, 'powerless', disks.join(', '))
})

/** Programs that wait for packets from outside; the loopback device does not count. */
export const judgeListeners = ofFacts('listeners')((
  {listeners},
  {allowed}: {allowed: readonly {port: number; protocol: string}[]},
) => {
  const permitted = [...allowed.map(({port, protocol}) => `${protocol}/${port}`), ...clientPorts]
  return onlyListed(listeners, permitted, 'nothing listens')
})

/** No list of the kernel shows who listens at a vsock: whoever holds a socket of that kind is refused. */
export const judgeVsock = ofFacts('sockets')(({sockets}) => {
  const kinds = wordsOf(sockets)
  // systemd itself holds some.
  if (!kinds.some((kind) => kind.startsWith('UNIX'))) return broken(`no socket was found: '${sockets}'`)
  const held = kinds
    .filter((kind) => kind.startsWith('AF_VSOCK'))
    .map((kind) => `${kind.split(':')[1] ?? ''} holds a vsock`)
  return defendedUnless(held, 'powerless', `there are only sockets of ${kinds.join(', ')}`)
})

/** The clients of DHCP listen for answers: systemd-networkd. */
const clientPorts = ['udp/68', 'udp/546']

/** Every chain at a hook drops what no rule accepts. */
export const judgeFirewall = ofFacts('firewall')(({firewall}) => {
  const policies = new Map(wordsOf(firewall).map((word) => [word.split(':')[0] ?? '', word.split(':')[1]]))
  const problems = ['input', 'forward', 'output'].flatMap((hook) => {
    const policy = policies.get(hook)
    return policy === 'drop' ? [] : [`the policy of ${hook} is ${policy ?? 'not reported'}, not drop`]
  })
  return defendedUnless(problems, 'powerless', 'input, forward and output drop what no rule accepts')
})

/** What closes a machine at its start; each writes down that it came to its end. */
export const duties = [
  ...['kernel', 'sysctl', 'accounts', 'memory', 'devices', 'network', 'firewall', 'data_mounts', 'lock_modules'],
] as const

export const judgeDuties = ofFacts('duties')(({duties: done}) =>
  defendedUnless(
    duties.filter((name) => !wordsOf(done).includes(name)).map((name) => `the duty ${name} was left out`),
    'powerless',
    `${duties.length} duties came to their end`,
  ),
)

/** How much more than configured is rounding: of pages, and of memory that the kernel frees after its start. */
const rounding = 1.02

/** The layer over the root takes no more memory than it may. */
export const judgeOverlay = ofFacts('overlay')(({overlay}, expected: {size: string}) => {
  const [bytes, memory] = wordsOf(overlay).map(Number)
  if (bytes === undefined || !(memory !== undefined && memory > 0)) return broken(`its size is '${overlay}'`)
  const bound = boundOf(expected.size, memory)
  if (bound === null) return broken(`'${expected.size}' is not a size`)
  if (bytes === 0) return broken(`it has no bound, configured is ${expected.size}`)
  return bytes <= bound * rounding
    ? defended('powerless', `${bytes} bytes at most, configured is ${expected.size} of ${memory}`)
    : broken(`it may have ${bytes} bytes, configured is ${expected.size} of ${memory}`)
})

/** Bytes of a size of tmpfs(5); null for anything else. */
function boundOf(size: string, memory: number): number | null {
  const [, digits, unit = ''] = /^(\d+)([%kmg]?)$/i.exec(size) ?? []
  if (digits === undefined) return null
  if (unit === '%') return (memory * Number(digits)) / 100
  return Number(digits) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase())
}

/** Start-up kit and keys of the site are for root and for FLARE alone. */
export const judgeSite = ofFacts(
  'site-files',
  'site-open',
)((facts) =>
  Number(facts['site-files']) > 0
    ? defendedUnless(
        wordsOf(facts['site-open']).map((path) => `${path} is open to others`),
        'powerless',
        `${facts['site-files']} files and folders, none open to others`,
      )
    : broken(`there was nothing of the site to look at: '${facts['site-files']}'`),
)

export interface DataDisks {
  /** Serials of the disks that the host offers. */
  offered: readonly string[]
  role: 'client' | 'server' | null
  /** Where the disk of the role is mounted; null: the machine cannot open the one that is offered. */
  place: string | null
}

/** What the host may have written is not followed, executed or used as a device; a client has no output. */
export const judgeDataDisks = ofFacts('data-disks')((facts, {offered, role, place}: DataDisks) => {
  const own = place === null ? null : `nvflare-${role === 'server' ? 'output' : 'input'}`
  const said = wordsOf(facts['data-disks']).map((word) => word.split(':'))
  const problems = offered.flatMap((serial) => {
    const places = said.filter(([name]) => name === serial)
    if (places.length === 0) return [`${serial} is not reported`]
    return places.flatMap(([, target = '', options = '']) => {
      if (serial !== own) return target === 'none' ? [] : [`${serial} is mounted at ${target}, for a ${role ?? 'site'}`]
      if (target !== place) return [`${serial} is mounted at ${target}, not at ${place ?? ''}`]
      const wanted = ['nosuid', 'nodev', 'noexec', 'nosymfollow', ...(role === 'server' ? [] : ['ro'])]
      return wanted
        .filter((one) => !options.split(',').includes(one))
        .map((one) => `${serial} is mounted without ${one}`)
    })
  })
  if (offered.length === 0) problems.push('no disk was offered')
  return defendedUnless(
    problems,
    'powerless',
    said.map(([name = '', target = '', options = '']) => `${name} ${target} ${options}`.trim()).join(', '),
  )
})

/** The host offered one by SMBIOS and one by fw_cfg. What the firmware did not hand over, nobody refused. */
export const judgeCredentials = ofFacts(
  'credentials',
  'firmware-strings',
  'firmware-files',
  'fw-cfg-driver',
)((facts, {smbios, fwCfg}: {smbios: string; fwCfg: string}) => {
  const driver = facts['fw-cfg-driver'] === 'yes'
  const given = [...wordsOf(facts['firmware-strings']), ...(driver ? wordsOf(facts['firmware-files']) : [])]
  const lost = [`io.systemd.credential:${smbios}=taken`, ...(driver ? [fwCfg] : [])].filter(
    (text) => !given.includes(text),
  )
  return defendedUnless(
    [
      ...lost.map((text) => `the firmware did not hand over ${text}`),
      ...wordsOf(facts.credentials).map((path) => `${path} was accepted`),
    ],
    'powerless',
    `the firmware has ${given.join(', ')}; none becomes a credential${driver ? '' : '. There is no driver of fw_cfg'}`,
  )
})

/** Of boot.conf; all others make units of what the host says. */
const ownGenerator = '/usr/lib/systemd/system-generators/cc-partitions'

export const judgeGenerators = ofFacts('generators')(({generators}) =>
  wordsOf(generators).includes(ownGenerator)
    ? onlyListed(generators, [ownGenerator], 'there is no generator')
    : broken(`not even ${ownGenerator} was found: the search proves nothing`),
)

/** Rules of udev that stay: those of scripts/guest/initramfs/kept-rules. All others look into what the host attaches. */
export const keptRules = [
  ...['50-firmware.rules', '50-udev-default.rules', '55-dm.rules', '73-special-net-names.rules'],
  ...['75-net-description.rules', '80-drivers.rules', '80-net-setup-link.rules', '95-dm-notify.rules'],
  '99-systemd.rules',
] as const

/** As scripts/hardening/90-verify.sh has it: of the packages those, and those of the GPU. */
export const judgeUdev = ofFacts('udev-rules')((facts) => {
  const folder = '/usr/lib/udev/rules.d/'
  const rules = wordsOf(facts['udev-rules'])
  if (!rules.includes(`${folder}50-udev-default.rules`)) return broken('not even the rules of udev itself were found')
  const kept = keptRules.map((name) => `${folder}${name}`)
  const others = rules.filter((path) => !kept.includes(path) && !/^\/usr\/lib\/udev\/rules\.d\/[^/]*nvidia/.test(path))
  return defendedUnless(others, 'powerless', `nothing but ${rules.join(', ')}`)
})
