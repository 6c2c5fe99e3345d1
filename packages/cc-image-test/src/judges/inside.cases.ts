import type {CasesOf} from '../fixtures/cases.js'
import {duties, shellUnits, sysctls, type DataDisks} from './inside.js'

const masked = shellUnits.map((unit) => `${unit}:masked`).join(' ')
const units = {units: masked, emergency: '/usr/lib/cc/power-off', rescue: '/usr/lib/cc/power-off'}
const inForce = Object.fromEntries(Object.entries(sysctls).map(([key, [value]]) => [`sysctl.${key}`, value]))
const tried = '/lib/modules/6.1/dummy.ko.xz'
const accounts = {roots: 'root', shells: '', passwords: '', 'login-keys': ''}
const modules = {'module-tried': tried, 'module-loaded': '0', 'sysctl.kernel.modules_disabled': '1'}
const mounts = {mounts: ['/', '/opt/cc/ro', '/vault', '/run/cc/lower', '/out'], bound: {'/results': ['/vault', '/out']}}
const disks = {
  'mounted-disks': '/dev/mapper/cc-app:/vault /dev/mapper/cc-root:/run/cc/lower',
  'other-mounts': 'overlay:/',
  'loose-mounts': '',
}

const untrusted = 'nosuid,nodev,noexec,nosymfollow,relatime'
const clientDisks: DataDisks = {offered: ['nvflare-input', 'nvflare-output'], role: 'client', place: '/in'}
const own = '/usr/lib/systemd/system-generators/cc-partitions'

const logins = {'login-processes': '', terminals: '', ports: 'ttyS0 ttyS1 hvc0'}
const offered = {smbios: 'cc.smbios', fwCfg: 'cc.fw-cfg'}
const credentials = {
  ...{credentials: '', 'firmware-strings': 'io.systemd.credential:cc.smbios=taken'},
  ...{'firmware-files': 'cc.fw-cfg', 'fw-cfg-driver': 'yes'},
}
const rules = '/usr/lib/udev/rules.d/50-udev-default.rules /usr/lib/udev/rules.d/80-drivers.rules'

export const cases: CasesOf<typeof import('./inside.js')> = {
  judgeSetuid: {
    good: [
      [{setuid: '', capabilities: ''}, {allowed: []}],
      [{setuid: '/usr/bin/mount', capabilities: ''}, {allowed: ['/usr/bin/mount']}],
    ],
    bad: {
      'a shell': [
        {setuid: '/usr/bin/mount /usr/bin/sh', capabilities: ''},
        {allowed: ['/usr/bin/mount']},
        /^\/usr\/bin\/sh$/,
      ],
      'a capability': [
        {setuid: '', capabilities: '/usr/bin/ping'},
        {allowed: []},
        /^\/usr\/bin\/ping has a capability$/,
      ],
    },
    missing: {
      'nothing was said': [{}, {allowed: []}],
      'nobody could read capabilities': [{setuid: '', capabilities: 'unknown'}, {allowed: []}],
    },
  },
  judgeAccounts: {
    good: [[accounts]],
    bad: {
      'a second root': [{...accounts, roots: 'root toor'}, /^toor has UID 0$/],
      'a shell': [{...accounts, shells: 'user'}, /^user has a shell$/],
      'a password': [{...accounts, passwords: 'root'}, /^root has a password$/],
      'a key': [{...accounts, 'login-keys': '/root/.ssh/authorized_keys'}, /authorized_keys may let somebody in/],
      'all of them': [{...accounts, roots: 'root toor', shells: 'user'}, /toor has UID 0; user has a shell/],
    },
    missing: {'no account was read': [{...accounts, roots: ''}]},
  },
  judgePrograms: {
    good: [[{programs: ''}]],
    bad: {'a compiler': [{programs: '/usr/bin/x86_64-linux-gnu-gcc-12'}, /gcc/]},
    missing: {'nothing was said': [{}]},
  },
  judgeLogins: {
    good: [[logins, {port: 'ttyS1'}]],
    bad: {
      'a getty': [{...logins, 'login-processes': 'agetty'}, {port: 'ttyS1'}, /agetty/],
      'a program at a terminal': [{...logins, terminals: 'sh'}, {port: 'ttyS1'}, /^sh$/],
      'the port of the host is not there': [{...logins, ports: 'ttyS0'}, {port: 'ttyS1'}, /^the port ttyS1 .* ttyS0$/],
    },
    missing: {
      'one half': [{terminals: '', ports: 'ttyS0 ttyS1'}, {port: 'ttyS1'}],
      'no port': [{...logins, ports: ''}, {port: 'ttyS1'}],
    },
  },
  judgeShellUnits: {
    good: [
      [units],
      [{...units, units: masked.replace('emergency.service:masked', 'emergency.service:loaded')}],
      [{...units, units: masked.replace('ssh.service:masked', 'ssh.service:not-found')}],
    ],
    bad: {
      'a rescue shell': [
        {...units, units: masked.replace('rescue.service:masked', 'rescue.service:loaded'), rescue: '/bin/sh'},
        /^rescue\.service runs \/bin\/sh$/,
      ],
      'a getty': [
        {...units, units: masked.replace('getty@tty1.service:masked', 'getty@tty1.service:loaded')},
        /getty@tty1\.service is loaded/,
      ],
      'an emergency shell': [
        {
          ...units,
          units: masked.replace('emergency.service:masked', 'emergency.service:loaded'),
          emergency: '/bin/sulogin',
        },
        /emergency\.service runs \/bin\/sulogin/,
      ],
    },
    missing: {
      'nobody knows what the rescue unit runs': [{...units, rescue: undefined}],
      'no unit': [{...units, units: ''}],
      'one unit': [{...units, units: masked.replace('rescue.service:masked', '')}],
      'the state of one unit': [{...units, units: masked.replace('rescue.service:masked', 'rescue.service:')}],
      'what emergency.service runs': [
        {...units, units: masked.replace('emergency.service:masked', 'emergency.service:loaded'), emergency: ''},
      ],
    },
  },
  judgeSwap: {
    good: [[{swap: '', 'swap-programs': ''}]],
    bad: {
      'swap is on': [{swap: '/vault/swapfile file 8188', 'swap-programs': ''}, /^\/proc\/swaps is '\/vault\/swapfile/],
      'a program that turns it on': [{swap: '', 'swap-programs': '/usr/sbin/swapon'}, /^there is \/usr\/sbin\/swapon$/],
    },
    missing: {
      'nobody looked for programs': [{swap: ''}],
      'the list was not read': [{'swap-programs': ''}],
    },
  },
  judgeCores: {
    good: [[{cores: '', 'core-pattern': '|/bin/false', crash: '139'}]],
    bad: {'a core': [{cores: '/tmp/core.1/core', 'core-pattern': 'core', crash: '139'}, /the list of cores/]},
    missing: {'nothing crashed': [{cores: '', 'core-pattern': 'core', crash: '127'}]},
  },
  judgeModules: {
    good: [[modules]],
    bad: {
      'a module was loaded': [{...modules, 'module-loaded': '1'}, /was loaded/],
      'modules are not locked': [{...modules, 'sysctl.kernel.modules_disabled': '0'}, /modules_disabled is '0'/],
    },
    missing: {'there was no module to try': [{...modules, 'module-tried': ''}]},
  },
  judgeKernelMemory: {
    good: [[{lockdown: 'none [integrity] confidentiality', 'dev-mem': 'no'}, {lockdown: 'integrity'}]],
    bad: {
      'no lockdown': [
        {lockdown: '[none] integrity', 'dev-mem': 'no'},
        {lockdown: 'integrity'},
        /lockdown is '\[none\]/,
      ],
      'memory was read': [{lockdown: 'none [integrity]', 'dev-mem': 'yes'}, {lockdown: 'integrity'}, /dev\/mem/],
    },
    missing: {'the kernel says nothing': [{lockdown: '', 'dev-mem': 'no'}, {lockdown: 'integrity'}]},
  },
  judgeSysctls: {
    good: [[inForce]],
    bad: {
      'one of another value': [{...inForce, 'sysctl.kernel.sysrq': '1'}, /kernel\.sysrq is '1', not 0/],
      'one that the kernel lacks': [
        {...inForce, 'sysctl.kernel.kexec_load_disabled': 'absent'},
        /kernel\.kexec_load_disabled is 'absent'/,
      ],
      'one that is empty': [{...inForce, 'sysctl.kernel.sysrq': ''}, /kernel\.sysrq is ''/],
    },
    missing: {'all of them': [{}]},
  },
  judgeRoot: {
    good: [[{lower: 'ro,relatime', 'lower-written': 'no'}]],
    bad: {
      'a write succeeded': [{lower: 'ro,relatime', 'lower-written': 'yes'}, /a write to it is 'yes'/],
      'a root that is mounted to be written': [
        {lower: 'rw,relatime,errors=remount-ro', 'lower-written': 'no'},
        /not read-only/,
      ],
      'a root without a layer': [{lower: '', 'lower-written': 'no'}, /not read-only/],
    },
    missing: {'nothing was said': [{}]},
  },
  judgeMounts: {
    good: [
      [disks, mounts],
      [{...disks, 'mounted-disks': `${disks['mounted-disks']} /dev/mapper/cc-app:/results`}, mounts],
    ],
    bad: {
      'a disk below a known folder': [
        {...disks, 'mounted-disks': `${disks['mounted-disks']} /dev/vdb:/vault/evil`},
        mounts,
        /\/dev\/vdb:\/vault\/evil is mounted/,
      ],
      'a disk of the host in the place of a bound one': [
        {...disks, 'mounted-disks': `${disks['mounted-disks']} /dev/vdb:/results`},
        mounts,
        /\/dev\/vdb:\/results is mounted/,
      ],
      'a disk at a bound place alone': [
        {...disks, 'mounted-disks': '/dev/mapper/cc-app:/results'},
        mounts,
        /cc-app:\/results is mounted/,
      ],
      'another disk than those that may be bound': [
        {...disks, 'mounted-disks': `${disks['mounted-disks']} /dev/mapper/cc-root:/results`},
        mounts,
        /cc-root:\/results is mounted/,
      ],
      'a disk of the host': [{...disks, 'mounted-disks': '/dev/vdb:/mnt/x'}, mounts, /\/dev\/vdb:\/mnt\/x is mounted/],
      'a folder of the host': [
        {...disks, 'other-mounts': 'overlay:/ 9p:/mnt/owned'},
        mounts,
        /^9p:\/mnt\/owned is mounted$/,
      ],
      'a folder of the host that is mounted when somebody comes': [
        {...disks, 'other-mounts': 'overlay:/ autofs:/mnt/owned'},
        mounts,
        /^autofs:\/mnt\/owned is mounted$/,
      ],
      'a mount with devices': [{...disks, 'loose-mounts': '/mnt/x:ext4:rw'}, mounts, /lets devices or setuid in/],
    },
    missing: {'no disk at all': [{...disks, 'mounted-disks': ''}, mounts]},
  },
  judgeListeners: {
    good: [
      [{listeners: ''}, {allowed: []}],
      [{listeners: 'tcp/8002 udp/68'}, {allowed: [{port: 8002, protocol: 'tcp'}]}],
    ],
    bad: {
      'a program that listens': [{listeners: 'tcp/22'}, {allowed: [{port: 8002, protocol: 'tcp'}]}, /tcp\/22/],
      'the number of an allowed port by UDP': [
        {listeners: 'udp/8002'},
        {allowed: [{port: 8002, protocol: 'tcp'}]},
        /udp\/8002/,
      ],
    },
    missing: {'nothing was said': [{}, {allowed: []}]},
  },
  judgeVsock: {
    good: [[{sockets: 'NETLINK TCP UDP UNIX-STREAM'}], [{sockets: 'TCP UNIX'}]],
    bad: {'a program at a vsock': [{sockets: 'AF_VSOCK:systemd TCP UNIX'}, /^systemd holds a vsock$/]},
    missing: {
      'nobody could read sockets': [{sockets: 'unknown'}],
      'no socket of systemd': [{sockets: 'TCP'}],
    },
  },
  judgeFirewall: {
    good: [[{firewall: 'input:drop forward:drop output:drop'}]],
    bad: {'a chain that accepts': [{firewall: 'input:drop forward:drop output:accept'}, /output is accept, not drop/]},
    missing: {
      'no rules': [{firewall: ''}],
      'one chain': [{firewall: 'input:drop forward:drop'}],
    },
  },
  judgeDuties: {
    good: [[{duties: duties.join(' ')}]],
    bad: {
      'one was left out': [
        {duties: duties.filter((name) => name !== 'accounts').join(' ')},
        /^the duty accounts was left out$/,
      ],
    },
    missing: {'none came to its end': [{duties: ''}]},
  },
  judgeOverlay: {
    good: [
      [{overlay: '500 1000'}, {size: '50%'}],
      [{overlay: '1073741824 8000000000'}, {size: '1G'}],
    ],
    bad: {
      'no bound': [{overlay: '0 1000'}, {size: '50%'}, /it has no bound/],
      'another bound': [{overlay: '900 1000'}, {size: '50%'}, /it may have 900 bytes/],
    },
    missing: {
      'no layer': [{overlay: ' 1000'}, {size: '50%'}],
      'no size': [{overlay: '500 1000'}, {size: 'much'}],
      'no number': [{overlay: 'x y'}, {size: '50%'}],
    },
  },
  judgeSite: {
    good: [[{'site-files': '7', 'site-open': ''}]],
    bad: {'a key': [{'site-files': '7', 'site-open': '/mnt/cc/ro/kit/x.key'}, /x\.key is open to others/]},
    missing: {'nothing was found': [{'site-files': '0', 'site-open': ''}]},
  },
  judgeDataDisks: {
    good: [
      [{'data-disks': `nvflare-input:/in:ro,${untrusted} nvflare-output:none:`}, clientDisks],
      [
        {'data-disks': `nvflare-input:none: nvflare-output:/out:rw,${untrusted}`},
        {...clientDisks, role: 'server', place: '/out'},
      ],
    ],
    bad: {
      'an input that may be written': [
        {'data-disks': `nvflare-input:/in:rw,${untrusted} nvflare-output:none:`},
        clientDisks,
        /^nvflare-input is mounted without ro$/,
      ],
      'links are followed': [
        {'data-disks': 'nvflare-input:/in:ro,nosuid,nodev,noexec nvflare-output:none:'},
        clientDisks,
        /^nvflare-input is mounted without nosymfollow$/,
      ],
      'an output for a client': [
        {'data-disks': `nvflare-input:/in:ro,${untrusted} nvflare-output:/out:rw,${untrusted}`},
        clientDisks,
        /^nvflare-output is mounted at \/out, for a client$/,
      ],
      'mounted at a second place': [
        {'data-disks': `nvflare-input:/in:ro,${untrusted} nvflare-input:/x:ro nvflare-output:none:`},
        clientDisks,
        /^nvflare-input is mounted at \/x, not at \/in$/,
      ],
    },
    missing: {
      'a disk is not reported': [{'data-disks': 'nvflare-output:none:'}, clientDisks],
      'no disk was offered': [{'data-disks': ''}, {...clientDisks, offered: []}],
    },
  },
  judgeCredentials: {
    good: [
      [credentials, offered],
      [{...credentials, 'firmware-files': '', 'fw-cfg-driver': 'no'}, offered],
    ],
    bad: {
      'one arrived': [
        {...credentials, credentials: '/run/credentials/@system/cc.probe'},
        offered,
        /^\/run\/credentials\/@system\/cc\.probe was accepted$/,
      ],
      'SMBIOS did not have it': [
        {...credentials, 'firmware-strings': 'io.systemd.credential:other=taken'},
        offered,
        /^the firmware did not hand over io\.systemd\.credential:cc\.smbios=taken$/,
      ],
      'fw_cfg did not have it': [
        {...credentials, 'firmware-files': 'other'},
        offered,
        /^the firmware did not hand over cc\.fw-cfg$/,
      ],
    },
    missing: {
      'no table of the firmware': [{...credentials, 'firmware-strings': ''}, offered],
      'whether fw_cfg can be read': [{...credentials, 'fw-cfg-driver': undefined}, offered],
    },
  },
  judgeGenerators: {
    good: [[{generators: own}]],
    bad: {
      'one of systemd': [
        {generators: `${own} /usr/lib/systemd/system-generators/systemd-fstab-generator`},
        /^\/usr\/lib\/systemd\/system-generators\/systemd-fstab-generator$/,
      ],
    },
    missing: {'not even our own': [{generators: ''}]},
  },
  judgeUdev: {
    good: [[{'udev-rules': rules}], [{'udev-rules': `${rules} /usr/lib/udev/rules.d/71-nvidia.rules`}]],
    bad: {
      'rules that look for file systems': [
        {'udev-rules': `${rules} /usr/lib/udev/rules.d/60-persistent-storage.rules`},
        /^\/usr\/lib\/udev\/rules\.d\/60-persistent-storage\.rules$/,
      ],
      'rules in place of kept ones': [
        {'udev-rules': `/etc/udev/rules.d/80-drivers.rules ${rules}`},
        /^\/etc\/udev\/rules\.d\/80-drivers\.rules$/,
      ],
      'rules that were made at the start': [
        {'udev-rules': `${rules} /run/udev/rules.d/99-nvidia.rules`},
        /^\/run\/udev\/rules\.d\/99-nvidia\.rules$/,
      ],
    },
    missing: {'not even those of udev': [{'udev-rules': ''}]},
  },
}
