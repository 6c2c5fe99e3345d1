import {hostileFilesystem} from '../hostile-disk.js'
import type {Machine} from '../machine.js'
import {tampered, type Tampering} from './tampered.js'

const detected = /the kernel command line is not that of this image/
const because = 'the initrd compares it with the measured boot.conf before anything reads a word of it'

/** Words that are added at the end, where the last one wins. */
const added = (id: string, words: string, what: string, quick = false): Tampering => ({
  ...{id: `cmdline-${id}`, group: 'cmdline', quick, detected, because},
  title: `${words} ${what}`,
  action: `adds ${words} to the kernel command line`,
  prepare: (machine) => {
    machine.cmdline += ` ${words}`
  },
})

const removed = (machine: Machine, word: RegExp): string =>
  machine.cmdline
    .split(' ')
    .filter((one) => !word.test(one))
    .join(' ')

export const cmdlineManipulations = tampered([
  added('init', 'init=/bin/sh', 'asks for a shell instead of systemd', true),
  added('rescue', 'systemd.unit=rescue.target', 'asks for the rescue shell'),
  added('emergency', 'emergency', 'asks for the emergency shell'),
  added('single', 'single', 'asks for single user mode'),
  added('debug-shell', 'systemd.debug-shell=1', 'asks for a shell on tty9'),
  {
    ...{id: 'cmdline-break-top', group: 'cmdline', detected, because},
    title: 'break=top without panic= asks for a shell of the initrd',
    action: 'adds break=top, and takes panic=1 away',
    prepare: (machine) => {
      machine.cmdline = `${removed(machine, /^panic=/)} break=top`
    },
  },
  {
    ...{id: 'cmdline-break-mount', group: 'cmdline', detected, because},
    title: 'break=mount without panic= asks for a shell of the initrd',
    action: 'adds break=mount, and takes panic=1 away',
    prepare: (machine) => {
      machine.cmdline = `${removed(machine, /^panic=/)} break=mount`
    },
  },
  added('rd-break', 'rd.break rd.shell=1', 'asks for a shell of a dracut initrd'),
  added('panic', 'panic=0', 'asks for no end after a panic'),
  {
    ...{id: 'cmdline-boot-local', group: 'cmdline', detected, because},
    title: "boot=local root=/dev/vdb asks for the host's own root",
    action: 'adds boot=local root=/dev/vdb, and attaches a disk with a root file system of its own',
    prepare: async (machine) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * 1024 ** 2)
      machine.disks.push({file, serial: 'evil', format: 'raw', mode: 'read-write'})
      machine.cmdline += ' boot=local root=/dev/vdb'
    },
  },
  added('mask', 'systemd.mask=nftables.service systemd.mask=cc-hardening.service', 'asks to leave the lock-down out'),
  added('run', 'systemd.run="/bin/sh -c id" systemd.run_success_action=none', 'asks for a program of the host'),
  added('credentials', 'systemd.import_credentials=yes', 'asks for credentials of the host'),
  added('set-credential', 'systemd.set_credential=passwd.plaintext-password.root:owned', 'sets a password'),
  added('lockdown', 'lockdown=none module.sig_enforce=0', 'asks for kernel modules of the host'),
  added('module', 'module_blacklist=dm_verity,nf_tables', 'takes kernel modules away'),
  added('network', 'ip=dhcp netconsole=@10.0.2.15/,@10.0.2.2/ nfsroot=10.0.2.2:/', 'asks for a network in the initrd'),
  added('debug', 'debug systemd.log_level=debug', 'asks for a trace of the initrd'),
  added('swap', 'systemd.swap=1 systemd.gpt_auto=1', 'asks for swap and for partitions by their type'),
  added('bootconfig', 'bootconfig', 'asks for a second command line behind the initrd'),
  added('repeat', 'quiet', 'repeats a word'),
  {
    ...{id: 'cmdline-console', group: 'cmdline', detected, because},
    title: 'console=tty0 asks for a second console',
    action: 'puts console=tty0 before the console of the image',
    prepare: (machine) => {
      machine.cmdline = `console=tty0 ${machine.cmdline}`
    },
  },
  {
    ...{id: 'cmdline-less', group: 'cmdline', detected, because},
    title: 'All safeguards are taken off the command line',
    action: 'leaves nothing of the command line but the console',
    prepare: (machine) => {
      machine.cmdline = machine.cmdline
        .split(' ')
        .filter((word) => word.startsWith('console='))
        .join(' ')
    },
  },
])
