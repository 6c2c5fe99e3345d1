import type {Config} from 'cc-core/config'

/** What the prover has to say of a weakness: a check, and one of its problems. */
export type Finding = readonly [check: string, problem: RegExp]

/** One weakness of an image. Its id is a function of weaken.sh where it is one of the tree. */
export interface Mutant {
  id: string
  /** What is weakened, for the table. */
  what: string
  findings: readonly [Finding, ...Finding[]]
  /** Done to the configuration that the image is sealed by; its manifest keeps the sound one, as that of a bad build would. */
  config?: (config: Config, rootKey: Buffer) => Config
  /** Done to the image directory after the seal. */
  directory?: 'readable-key' | 'stray-key'
}

/** Weaknesses that do not disturb each other: one image, and one boot of each kind. */
export interface Group {
  name: string
  mutants: readonly Mutant[]
  /** Checks that are asked, besides those of the files. */
  checks: readonly string[]
  /** Weaknesses that others of this group need, but which are mutants of another group. */
  needed?: readonly Mutant[]
}

/** Checks of the files of an image, which need no boot. */
export const fileChecks = [
  ...['manifest', 'protected', 'key-sources', 'sha256', 'qcow2-alone', 'gpt', 'cmdline', 'cmdline-safe', 'boot-conf'],
  ...['cmdline-config', 'luks-headers', 'keys-private', 'keys-only-there', 'files'],
]

const insideChecks = [
  ...['duties', 'setuid', 'accounts', 'programs', 'logins', 'units', 'swap', 'core', 'modules', 'memory', 'sysctl'],
  ...['root', 'mounts', 'data-disks', 'credentials', 'generators', 'overlay', 'site', 'listeners', 'firewall'],
  ...['udev', 'vsock'],
].map((name) => `inside-${name}`)

const looks = [...insideChecks, 'outbound-forbidden', 'outbound-allowed', 'canary']

const jobChecks = [
  ...['identity', 'secrets', 'keys', 'writes', 'execution', 'calls', 'sockets', 'devices', 'network', 'limits'],
].map((name) => `job-${name}`)

const duty = (name: string): Mutant => ({
  ...{id: `duty-${name.replace('_', '-')}`, what: `the duty ${name} is left out`},
  findings: [['inside-duties', new RegExp(`^the duty ${name} was left out$`)]],
})

const program = (id: string, path: string): Mutant => ({
  ...{id, what: `there is ${path}`, findings: [['inside-programs', new RegExp(`^${path}$`)]]},
})

/** A line of boot.conf that is another one than the configuration of the manifest gives. */
const bootConf = (key: string): Finding => ['boot-conf', new RegExp(`^'${key}[^']*' is (not expected|missing)$`)]

/** The command line is one problem, whatever is wrong with it. */
const commandLine = (found: string): Finding => ['cmdline-config', new RegExp(`^it is '${found}`)]

type Partition = NonNullable<Config['layout']['partitions'][string]>

const partition = (config: Config, name: string, change: Partial<Partition>): Config => {
  const found = config.layout.partitions[name]
  if (found === undefined) throw new Error(`the image has no ${name}`)
  const partitions = {...config.layout.partitions, [name]: {...found, ...change}}
  return {...config, layout: {...config.layout, partitions}}
}

const cmdline = (config: Config, ...words: string[]): Config => ({
  ...config,
  boot: {...config.boot, cmdline: [...config.boot.cmdline, ...words]},
})

const files: Group = {
  name: 'files',
  checks: [],
  mutants: [
    {
      ...{id: 'root-no-verity', what: 'cc-root is not verified'},
      findings: [['protected', /^cc-root is not verified by dm-verity$/], bootConf('cc-root\\.')],
      config: (config) => partition(config, 'cc-root', {integrity: 'none', filesystem: 'ext4'}),
    },
    {
      ...{id: 'ro-plain', what: 'cc-ro, with the keys of the site, is not encrypted'},
      findings: [['protected', /^cc-ro is not encrypted: none$/], bootConf('cc-ro\\.')],
      config: (config) => partition(config, 'cc-ro', {encryption: 'none', key: null}),
    },
    {
      ...{id: 'app-plain', what: 'the workspace is not encrypted'},
      findings: [['protected', /^cc-app is not encrypted: none$/], bootConf('cc-app\\.')],
      config: (config) => partition(config, 'cc-app', {encryption: 'none', key: null, keyFile: null}),
    },
    {
      ...{id: 'development-key', what: 'a production image takes a development key'},
      findings: [
        ['key-sources', /^a production image takes the key of cc-root from the key source development$/],
        commandLine('.*module_blacklist=qemu_fw_cfg.*, the configuration gives'),
      ],
      config: (config) => ({...config, profile: 'production'}),
    },
    {
      ...{id: 'key-cmdline', what: 'the root key is on the kernel command line'},
      findings: [
        [
          'keys-only-there',
          /^(cmdline|(manifest|provenance)\.json|initrd\.img|initrd\.img, unpacked,) holds keys\/root\.key in hexadecimal$/,
        ],
        commandLine('.*cc\\.weak=[0-9a-f]{64}.*, the configuration gives'),
      ],
      config: (config, rootKey) => cmdline(config, `cc.weak=${rootKey.toString('hex')}`),
    },
    {
      ...{id: 'key-initrd', what: 'the root key is in the initrd, compressed'},
      findings: [['keys-only-there', /^initrd\.img, unpacked, holds keys\/root\.key as bytes$/]],
    },
    {
      ...{id: 'key-readable', what: 'the root key can be read by others', directory: 'readable-key'},
      findings: [['keys-private', /^keys\/root\.key has mode 0644$/]],
    },
    {
      ...{id: 'key-stray', what: 'a copy of the root key lies beside the image', directory: 'stray-key'},
      findings: [
        ['files', /^notes\.txt is not described by the manifest$/],
        ['keys-only-there', /^notes\.txt holds keys\/root\.key as bytes$/],
      ],
    },
  ],
}

/** Everything that one machine can have at once: its own checks pass it, since those duties are left out. */
const machine: Group = {
  name: 'machine',
  checks: [...looks, 'disk-filesystem', 'scan-ipv4', 'scan-ipv6', ...jobChecks],
  mutants: [
    ...['kernel', 'accounts', 'memory', 'devices', 'network'].map(duty),
    {
      ...{id: 'setuid-shell', what: 'a shell is setuid root'},
      findings: [['inside-setuid', /^\/usr\/bin\/weak-shell$/]],
    },
    {
      ...{id: 'setgid-program', what: 'a program is setgid'},
      findings: [['inside-setuid', /^\/usr\/bin\/weak-group$/]],
    },
    {
      ...{id: 'capability', what: 'a shell has the capability to become root'},
      findings: [['inside-setuid', /^\/usr\/bin\/weak-capability has a capability$/]],
    },
    {
      ...{id: 'account-password', what: 'root has a password'},
      findings: [['inside-accounts', /^root has a password$/]],
    },
    {
      ...{id: 'account-shell', what: 'an account has a shell'},
      findings: [['inside-accounts', /^weak has a shell$/]],
    },
    {
      ...{id: 'second-root', what: 'a second account has UID 0'},
      findings: [['inside-accounts', /^toor has UID 0$/]],
    },
    {
      ...{id: 'login-key', what: 'a key lets root log in'},
      findings: [['inside-accounts', /^\/root\/\.ssh\/authorized_keys may let somebody in$/]],
    },
    program('compiler', '/usr/bin/gcc'),
    program('debugger', '/usr/bin/strace'),
    program('package-manager', '/usr/bin/apt'),
    program('sshd', '/usr/sbin/sshd'),
    {
      ...{id: 'getty', what: 'a getty waits at a terminal'},
      findings: [
        ['inside-logins', /^agetty$/],
        ['inside-programs', /^\/usr\/sbin\/agetty$/],
        ['inside-units', /^getty@tty1\.service is loaded$/],
      ],
    },
    {
      ...{id: 'serial-getty', what: 'gettys of serial consoles are not masked'},
      findings: [['inside-units', /^serial-getty@(ttyS0|hvc0)\.service is loaded$/]],
    },
    {
      ...{id: 'debug-shell', what: 'the debug shell is not masked'},
      findings: [['inside-units', /^debug-shell\.service is loaded$/]],
    },
    {
      ...{id: 'ctrl-alt-del', what: 'Ctrl-Alt-Del is not masked'},
      findings: [['inside-units', /^ctrl-alt-del\.target is loaded$/]],
    },
    {
      ...{id: 'emergency-shell', what: 'the emergency unit is a shell'},
      findings: [['inside-units', /^emergency\.service runs \/bin\/sh$/]],
    },
    {
      ...{id: 'rescue-shell', what: 'the rescue unit is a shell'},
      findings: [['inside-units', /^rescue\.service runs \/bin\/sh$/]],
    },
    {
      ...{id: 'generator', what: 'a generator of systemd is not masked'},
      findings: [['inside-generators', /^\/usr\/lib\/systemd\/system-generators\/systemd-debug-generator$/]],
    },
    {
      ...{id: 'udev-rule', what: 'a rule of udev looks for file systems on the disks of the host'},
      findings: [
        ['inside-udev', /^\/usr\/lib\/udev\/rules\.d\/60-persistent-storage\.rules$/],
        ['disk-filesystem', /^it read \d+ bytes of hostile, more than a partition table$/],
      ],
    },
    {
      ...{id: 'sysctl-kptr', what: 'kernel.kptr_restrict is not set'},
      findings: [['inside-sysctl', /^kernel\.kptr_restrict is '0'/]],
    },
    {
      ...{id: 'sysctl-redirects', what: 'net.ipv4.conf.all.send_redirects is not set'},
      findings: [['inside-sysctl', /^net\.ipv4\.conf\.all\.send_redirects is '1'/]],
    },
    {
      ...{id: 'core-dumps', what: 'cores are written'},
      findings: [
        ['inside-core', /^the list of cores is '\/tmp\/core\./],
        ['inside-sysctl', /^kernel\.core_pattern is 'core'/],
      ],
    },
    {
      ...{id: 'swap', what: 'swap is on'},
      findings: [['inside-swap', /^\/proc\/swaps is '\/vault\/swapfile/]],
    },
    {
      ...{id: 'swap-program', what: 'there is /usr/sbin/swapon'},
      findings: [['inside-swap', /^there is \/usr\/sbin\/swapon$/]],
    },
    {
      ...{id: 'inbound-tcp4', what: 'one more TCP port may be reached from outside on IPv4'},
      findings: [['scan-ipv4', /answers at tcp ports that are not allowed: 4001$/]],
    },
    {
      ...{id: 'inbound-tcp6', what: 'one more TCP port may be reached from outside on IPv6'},
      findings: [['scan-ipv6', /answers at tcp ports that are not allowed: 4002$/]],
    },
    {
      ...{id: 'inbound-udp4', what: 'one more UDP port may be reached from outside on IPv4'},
      findings: [['scan-ipv4', /answers at udp ports that are not allowed: 4003$/]],
    },
    {
      ...{id: 'inbound-udp6', what: 'one more UDP port may be reached from outside on IPv6'},
      findings: [['scan-ipv6', /answers at udp ports that are not allowed: 4004$/]],
    },
    {
      ...{id: 'outbound-tcp4', what: 'one more TCP port may be reached from inside on IPv4'},
      findings: [
        ['outbound-forbidden', /^(out-forbidden 22:open|a packet to tcp 10\.77\.0\.2:22 is on the wire)$/],
        ['job-network', /^(forbidden port 22: done|a packet to tcp 10\.77\.0\.2:22 is on the wire)$/],
      ],
    },
    {
      ...{id: 'outbound-tcp6', what: 'one more TCP port may be reached from inside on IPv6'},
      findings: [
        ['outbound-forbidden', /^(out-forbidden6 80:open|a packet to tcp 2001:db8:77:\S*2:80 is on the wire)$/],
      ],
    },
    {
      ...{id: 'outbound-udp4', what: 'one more UDP port may be reached from inside on IPv4'},
      findings: [['outbound-forbidden', /^a packet to udp 10\.77\.0\.2:443 is on the wire$/]],
    },
    {
      ...{id: 'outbound-udp6', what: 'one more UDP port may be reached from inside on IPv6'},
      findings: [['outbound-forbidden', /^a packet to udp 2001:db8:77:\S*2:853 is on the wire$/]],
    },
    {
      ...{id: 'forward', what: 'the machine forwards packets'},
      findings: [['inside-firewall', /^the policy of forward is accept, not drop$/]],
    },
    {
      ...{id: 'listener', what: 'a program listens'},
      findings: [['inside-listeners', /^tcp\/4011$/]],
    },
    {
      ...{id: 'input-writable', what: 'the input disk can be written'},
      findings: [['inside-data-disks', /^nvflare-input is mounted without ro$/]],
    },
    {
      ...{id: 'input-links', what: 'links of the input disk are followed'},
      findings: [['inside-data-disks', /^nvflare-input is mounted without nosymfollow$/]],
    },
    {
      ...{id: 'input-programs', what: 'programs of the input disk can be executed'},
      findings: [['inside-data-disks', /^nvflare-input is mounted without noexec$/]],
    },
    {
      ...{id: 'client-output', what: 'a client has an output disk'},
      findings: [
        ['inside-data-disks', /^nvflare-output is mounted at \/mnt\/data\/nvflare\/output, for a client$/],
        ['inside-mounts', /^\/dev\/vd[a-z]:\/mnt\/data\/nvflare\/output is mounted$/],
      ],
    },
    {
      ...{id: 'loose-mount', what: 'a file system lets devices and setuid in'},
      findings: [['inside-mounts', /^\/mnt\/loose:tmpfs:\S+ lets devices or setuid in$/]],
    },
    {
      ...{id: 'disk-automount', what: 'a partition of the host is mounted'},
      findings: [['inside-mounts', /^\/dev\/vd[a-z]2:\/mnt\/home is mounted$/]],
    },
    {
      ...{id: 'other-mount', what: 'something is mounted that is not a disk'},
      findings: [['inside-mounts', /^overlay:\/mnt\/owned is mounted$/]],
    },
    {
      ...{id: 'secret-console', what: 'a secret is written to the console'},
      findings: [['canary', /^(console\.log has the secret as bytes|the console shows it)$/]],
    },
    {
      ...{id: 'secret-log-disk', what: 'a secret is written to the log disk'},
      findings: [['canary', /^nvflare-log\.raw has the secret as bytes$/]],
    },
    {
      ...{id: 'secret-output', what: 'a secret is written to an output disk'},
      findings: [['canary', /^nvflare-output\.raw has the secret as bytes$/]],
    },
    {
      ...{id: 'kit-open', what: 'others can read the start-up kit'},
      findings: [['inside-site', /^\S*\/kit\S* is open to others$/]],
    },
    {
      ...{id: 'job-calls', what: 'a job may use io_uring'},
      findings: [['job-calls', /^(io_uring_setup|userfaultfd|bpf|perf_event_open): \w+$/]],
    },
    {
      ...{id: 'job-keyring', what: 'a job may use keyrings of the kernel'},
      findings: [['job-calls', /^(add_key|keyctl|request_key): \w+$/]],
    },
    {
      ...{id: 'job-processes', what: 'a job sees the processes of others'},
      findings: [['job-secrets', /^it sees the process \d+ of another user$/]],
    },
    {
      ...{id: 'job-execution', what: 'a job executes what it writes'},
      findings: [['job-execution', /^what it writes it can execute: \S+$/]],
    },
    {
      ...{id: 'job-netlink', what: 'a job may open AF_NETLINK'},
      findings: [['job-sockets', /^AF_NETLINK: done$/]],
    },
    {
      ...{id: 'job-files', what: 'a job may open more files than configured'},
      findings: [['job-limits', /^(it may open '70000' files, not 65536|it opened 69\d{3} ended)$/]],
    },
    {
      ...{id: 'job-core', what: 'a job leaves cores'},
      findings: [['job-limits', /^a core may have '-?\d+' bytes$/]],
    },
    {
      ...{id: 'job-swap', what: 'a job may swap'},
      findings: [['job-limits', /^swap is 'max'$/]],
    },
    {
      ...{id: 'job-key', what: 'a job can read a private key that is not that of its site'},
      findings: [['job-keys', /^it can read the private key \/opt\/weak\/other\.key$/]],
    },
  ],
}

/** What would hide others: the kernel, the firewall and the switches are as a distribution leaves them. */
const open: Group = {
  name: 'open',
  checks: [...looks, 'key-wrong', 'job-identity'],
  // It would find that core files are written.
  needed: [duty('memory')],
  mutants: [
    {
      ...duty('sysctl'),
      findings: [
        ['inside-duties', /^the duty sysctl was left out$/],
        // That one is of another duty.
        ['inside-sysctl', /^(?!kernel\.modules_disabled)[\w.-]+ is '[^']*', not /],
        ['inside-core', /^the list of cores is '\/tmp\/core\./],
      ],
    },
    {
      ...duty('firewall'),
      findings: [
        ['inside-duties', /^the duty firewall was left out$/],
        ['inside-firewall', /^the policy of (input|forward|output) is not reported, not drop$/],
        ['outbound-forbidden', /^(out-forbidden6? \d+:open|a packet to (tcp|udp|echo) \S+ is on the wire)$/],
      ],
    },
    {
      ...duty('lock_modules'),
      findings: [
        ['inside-duties', /^the duty lock_modules was left out$/],
        ['inside-modules', /^(\S+\.ko\S* was loaded|kernel\.modules_disabled is '0', not '1')$/],
        ['inside-sysctl', /^kernel\.modules_disabled is '0'/],
      ],
    },
    {
      ...duty('data_mounts'),
      findings: [
        ['inside-duties', /^the duty data_mounts was left out$/],
        ['inside-data-disks', /^nvflare-input is mounted at none, not at /],
      ],
    },
    {
      ...{id: 'lockdown-off', what: 'the kernel is not locked down'},
      findings: [
        [
          'inside-memory',
          /^(lockdown is '\[none\][^']*', configured is 'integrity'|reading \/dev\/mem is 'yes', not 'no')$/,
        ],
        ['cmdline-config', /^it is '(?:(?!lockdown=)[^'])*', the configuration gives '[^']*lockdown=integrity/],
      ],
      config: (config) => ({...config, hardening: {...config.hardening, lockdown: 'none'}}),
    },
    {
      ...{id: 'credentials', what: 'credentials of the host are accepted'},
      findings: [
        ['inside-credentials', /^\/run\/credentials\/@system\/cc\.probe\.(smbios|fw-cfg) was accepted$/],
        ['cmdline-safe', /^'systemd\.import_credentials' is used 2 times/],
        commandLine('.* systemd\\.import_credentials=yes'),
      ],
      config: (config) => cmdline(config, 'systemd.import_credentials=yes'),
    },
    {
      ...{id: 'overlay', what: 'what is written to the root has no bound'},
      findings: [['inside-overlay', /^it has no bound/]],
    },
    {
      ...{id: 'secret-out', what: 'a secret is written to cc-out'},
      findings: [
        ['canary', /^disk\.qcow2 has the secret as bytes$/],
        ['protected', /^a client has cc-out$/],
        bootConf('(partitions=|cc-out\\.)'),
      ],
      config: (config) => partition({...config, layout: withOut(config)}, 'cc-out', {}),
    },
    {
      ...{id: 'flare-root', what: 'FLARE runs as root'},
      findings: [['job-identity', /^(uid|gid) is '0'$/]],
    },
    {
      ...{id: 'initrd-shell', what: 'a boot that fails offers a shell'},
      // The second half is what a shell says of itself.
      findings: [['key-wrong', /^(a shell or a login is offered: |job control turned off)/]],
    },
  ],
}

/** The layout with a place that the host can read. */
function withOut({layout}: Config): Config['layout'] {
  const app = layout.partitions['cc-app']
  if (app === undefined) throw new Error('the image has no cc-app')
  const out: Partition = {
    ...{...app, mount: '/mnt/cc/out', encryption: 'none', integrity: 'none', key: null, keyFile: null},
    ...{grow: false, size: 64 * 1024 ** 2},
  }
  return {...layout, partitions: {...layout.partitions, 'cc-out': out}}
}

export const groups: readonly Group[] = [machine, open, files]

/** Of the sound image everything is asked that is asked of any other. */
export const allChecks = [...new Set([...fileChecks, ...groups.flatMap(({checks}) => checks)])]
