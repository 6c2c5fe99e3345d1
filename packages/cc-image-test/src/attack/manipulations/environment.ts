import {findVariableFirmware, firmwareWithVariable, systemdOptions} from '../efi-variable.js'
import {hostileFilesystem} from '../hostile-disk.js'
import {tampered, type Tampering} from './tampered.js'

const mebibyte = 1024 ** 2
const detected = /the kernel command line is not that of this image/

/** Words of which the kernel makes variables for init, beside those that ask the initrd for the host's own root. */
const variables = (id: string, words: string, title: string, quick = false): Tampering => ({
  ...{id: `environment-${id}`, group: 'cmdline', quick, detected, title},
  action: `adds ${words} boot=local root=/dev/vdb to the kernel command line, and attaches a root file system of its own`,
  because: 'the first act of the initrd is to clear its environment, so the command line is compared all the same',
  prepare: async (machine) => {
    const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
    machine.disks.push({file, serial: 'evil', format: 'raw', mode: 'read-write'})
    machine.cmdline += ` ${words} boot=local root=/dev/vdb`
  },
})

export const environmentManipulations = tampered([
  variables('root', 'CC_ROOT=/x R=/x', 'The programs of the initrd are to look for their parts elsewhere', true),
  variables(
    'loader',
    'LD_PRELOAD=/dev/vdb LD_LIBRARY_PATH=/dev',
    'Programs are to load a library from a disk of the host',
  ),
  variables(
    'shell',
    'IFS=/ ENV=/dev/vdb BASH_ENV=/dev/vdb PS4=$(reboot) OPTIND=9',
    'The shell is to split, trace or begin otherwise',
  ),
  variables('path', 'PATH=/dev MODPROBE_OPTIONS=-C/dev/vdb', 'Programs are to be found in another folder'),
  variables(
    'systemd',
    'SYSTEMD_PROC_CMDLINE=init=/bin/sh SYSTEMD_UNIT_PATH=/dev',
    'systemd is to read another command line',
  ),
  {
    ...{id: 'efi-systemd-options', group: 'devices', powerless: true},
    title: 'An EFI variable brings further words for the command line',
    action: 'starts OVMF with a variable SystemdOptions that sets host name and environment, and masks the lock-down',
    // No line of the console tells what OVMF read: the try shows what comes of it, not that the variable arrived.
    because:
      'the measured command line says efi=noruntime, so the kernel reads no EFI variable; that OVMF offered it is not shown',
    impossible: () =>
      findVariableFirmware() === null ? 'this host has no OVMF with a variable store: install ovmf' : null,
    prepare: async (machine) => {
      const words = 'systemd.hostname=owned systemd.setenv=BASH_ENV=/dev/vdb systemd.mask=cc-hardening.service'
      machine.devices.push(...(await firmwareWithVariable(machine.folder, systemdOptions(words))))
    },
  },
])
