import type {Verdict} from 'cc-core/report'

import {ofFacts, wordsOf} from './facts.js'
import {broken, defended, defendedUnless} from './outcome.js'

/** Nothing may be named but what is listed. */
function onlyListed(found: string, listed: readonly string[], nothing: string): Verdict {
  const others = wordsOf(found).filter((word) => !listed.includes(word))
  return defendedUnless(
    others.length === 0 ? [] : [others.join(', ')],
    'powerless',
    wordsOf(found).join(', ') || nothing,
  )
}

const is = (found: string, expected: string, name: string, why: string): Verdict =>
  found === expected ? defended('powerless', why) : broken(`${name} is '${found}', not '${expected}'`)

export const judgeSetuid = ofFacts('setuid')(({setuid}, expected: {allowed: readonly string[]}) =>
  onlyListed(setuid, expected.allowed, 'no file is setuid or setgid'),
)

export const judgeAccounts = ofFacts(
  'roots',
  'shells',
  'passwords',
)(({roots, shells, passwords}) =>
  roots === 'root'
    ? onlyListed(`${shells} ${passwords}`, [], 'nologin and locked, all of them')
    : broken(`accounts with UID 0: ${roots || 'none'}`),
)

export const judgePrograms = ofFacts('programs')(({programs}) =>
  onlyListed(programs, [], 'no ssh, sudo, su, login, getty, cloud-init, compiler, debugger, apt'),
)

export const judgeLogins = ofFacts(
  'login-processes',
  'terminals',
)((facts) => onlyListed(`${facts['login-processes']} ${facts['terminals']}`, [], 'no process reads a terminal'))

/** Units that offer a shell; the probe asks for each of them. */
export const shellUnits = [
  ...['debug-shell.service', 'getty@tty1.service', 'serial-getty@ttyS0.service', 'serial-getty@hvc0.service'],
  ...['ssh.service', 'emergency.service', 'rescue.service', 'ctrl-alt-del.target'],
] as const

export const judgeShellUnits = ofFacts(
  'units',
  'emergency',
)(({units, emergency}) => {
  const states = new Map(wordsOf(units).map((word) => [word.slice(0, word.lastIndexOf(':')), word.split(':').at(-1)]))
  const problems = shellUnits.flatMap((unit) => {
    const state = states.get(unit)
    if (state === 'masked' || state === 'not-found') return []
    const powersOff = /^(emergency|rescue)\.service$/.test(unit) && state === 'loaded'
    if (!powersOff) return [`${unit} is ${state === undefined || state === '' ? 'not reported' : state}`]
    return emergency === '/usr/lib/cc/power-off' ? [] : [`emergency.service runs ${emergency || 'nothing'}`]
  })
  return defendedUnless([...new Set(problems)], 'powerless', 'masked, or power off in its place')
})

export const judgeSwap = ofFacts(
  'swap',
  'swap-tried',
)(({swap, 'swap-tried': tried}) => is(swap, '', '/proc/swaps', `swapon: ${tried || 'no such program'}`))

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
  if (facts['module-loaded'] !== '0') return broken(`${tried} was loaded`)
  const locked = facts['sysctl.kernel.modules_disabled']
  return is(locked, '1', 'kernel.modules_disabled', `${tried} is refused`)
})

export const judgeKernelMemory = ofFacts(
  'lockdown',
  'dev-mem',
)(({lockdown, 'dev-mem': memory}, expected: {lockdown: string}) => {
  const [, found] = /\[(\w+)\]/.exec(lockdown) ?? []
  if (found !== expected.lockdown) return broken(`lockdown is '${lockdown}', configured is '${expected.lockdown}'`)
  return is(memory, 'no', 'reading /dev/mem', `lockdown is ${found}`)
})

/** Values that are read back in the running machine. https://docs.kernel.org/admin-guide/sysctl/ */
export const sysctls: Readonly<Record<string, readonly string[]>> = {
  'kernel.modules_disabled': ['1'],
  'kernel.sysrq': ['0'],
  'kernel.kptr_restrict': ['1', '2'],
  'kernel.dmesg_restrict': ['1'],
  'kernel.kexec_load_disabled': ['1'],
  'kernel.unprivileged_bpf_disabled': ['1', '2'],
  'kernel.yama.ptrace_scope': ['1', '2', '3'],
  'kernel.randomize_va_space': ['2'],
  'fs.suid_dumpable': ['0'],
  'fs.protected_symlinks': ['1'],
  'fs.protected_hardlinks': ['1'],
  'dev.tty.ldisc_autoload': ['0'],
  'net.ipv4.ip_forward': ['0'],
  'net.ipv4.conf.all.rp_filter': ['1', '2'],
  'net.ipv4.conf.all.accept_redirects': ['0'],
  'net.ipv4.conf.all.accept_source_route': ['0'],
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

export const judgeMounts = ofFacts(
  'mounted-disks',
  'loose-mounts',
)((facts, expected: {mounts: readonly string[]}) => {
  const disks = wordsOf(facts['mounted-disks'])
  const problems = [
    ...disks
      .filter((text) => !expected.mounts.includes(text.slice(text.indexOf(':') + 1)))
      .map((text) => `${text} is mounted`),
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
