import type {CasesOf} from '../fixtures/cases.js'
import {shellUnits, sysctls} from './inside.js'

const masked = shellUnits.map((unit) => `${unit}:masked`).join(' ')
const units = {units: masked, emergency: '/usr/lib/cc/power-off'}
const inForce = Object.fromEntries(Object.entries(sysctls).map(([key, [value]]) => [`sysctl.${key}`, value]))
const tried = '/lib/modules/6.1/dummy.ko.xz'
const modules = {'module-tried': tried, 'module-loaded': '0', 'sysctl.kernel.modules_disabled': '1'}
const mounts = {mounts: ['/', '/opt/cc/ro', '/vault', '/run/cc/lower']}
const disks = {'mounted-disks': '/dev/mapper/cc-app:/vault /dev/mapper/cc-root:/run/cc/lower', 'loose-mounts': ''}

export const cases: CasesOf<typeof import('./inside.js')> = {
  judgeSetuid: {
    good: [
      [{setuid: ''}, {allowed: []}],
      [{setuid: '/usr/bin/mount'}, {allowed: ['/usr/bin/mount']}],
    ],
    bad: {'a shell': [{setuid: '/usr/bin/mount /usr/bin/sh'}, {allowed: ['/usr/bin/mount']}, /^\/usr\/bin\/sh$/]},
    missing: {'nothing was said': [{}, {allowed: []}]},
  },
  judgeAccounts: {
    good: [[{roots: 'root', shells: '', passwords: ''}]],
    bad: {
      'a second root': [{roots: 'root toor', shells: '', passwords: ''}, /UID 0: root toor/],
      'a shell': [{roots: 'root', shells: 'user', passwords: ''}, /^user$/],
      'a password': [{roots: 'root', shells: '', passwords: 'root'}, /^root$/],
    },
    missing: {'no account was read': [{roots: '', shells: '', passwords: ''}]},
  },
  judgePrograms: {
    good: [[{programs: ''}]],
    bad: {'a compiler': [{programs: '/usr/bin/x86_64-linux-gnu-gcc-12'}, /gcc/]},
    missing: {'nothing was said': [{}]},
  },
  judgeLogins: {
    good: [[{'login-processes': '', terminals: ''}]],
    bad: {
      'a getty': [{'login-processes': 'agetty', terminals: ''}, /agetty/],
      'a program at a terminal': [{'login-processes': '', terminals: 'sh'}, /^sh$/],
    },
    missing: {'one half': [{terminals: ''}]},
  },
  judgeShellUnits: {
    good: [
      [units],
      [{...units, units: masked.replace('emergency.service:masked', 'emergency.service:loaded')}],
      [{...units, units: masked.replace('ssh.service:masked', 'ssh.service:not-found')}],
    ],
    bad: {
      'a getty': [
        {...units, units: masked.replace('getty@tty1.service:masked', 'getty@tty1.service:loaded')},
        /getty@tty1\.service is loaded/,
      ],
      'an emergency shell': [
        {units: masked.replace('emergency.service:masked', 'emergency.service:loaded'), emergency: '/bin/sulogin'},
        /emergency\.service runs \/bin\/sulogin/,
      ],
    },
    missing: {
      'no unit': [{...units, units: ''}],
      'one unit': [{...units, units: masked.replace('rescue.service:masked', '')}],
      'the state of one unit': [{...units, units: masked.replace('rescue.service:masked', 'rescue.service:')}],
      'what emergency.service runs': [
        {units: masked.replace('emergency.service:masked', 'emergency.service:loaded'), emergency: ''},
      ],
    },
  },
  judgeSwap: {
    good: [[{swap: '', 'swap-tried': 'swapon: not permitted'}]],
    bad: {'swap is on': [{swap: '/dev/shm/swapfile', 'swap-tried': ''}, /\/proc\/swaps is '\/dev\/shm/]},
    missing: {'nothing was tried': [{swap: ''}]},
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
    good: [[disks, mounts]],
    bad: {
      'a disk below a known folder': [
        {...disks, 'mounted-disks': `${disks['mounted-disks']} /dev/vdb:/vault/evil`},
        mounts,
        /\/dev\/vdb:\/vault\/evil is mounted/,
      ],
      'a disk of the host': [{...disks, 'mounted-disks': '/dev/vdb:/mnt/x'}, mounts, /\/dev\/vdb:\/mnt\/x is mounted/],
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
  judgeFirewall: {
    good: [[{firewall: 'input:drop forward:drop output:drop'}]],
    bad: {'a chain that accepts': [{firewall: 'input:drop forward:drop output:accept'}, /output is accept, not drop/]},
    missing: {
      'no rules': [{firewall: ''}],
      'one chain': [{firewall: 'input:drop forward:drop'}],
    },
  },
}
