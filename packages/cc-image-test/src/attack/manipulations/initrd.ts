import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {file, folder} from '../cpio.js'
import {appendArchive, reseal} from '../initrd-edit.js'
import type {Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import {measured} from './measured.js'
import {verityStops, without} from './disk.js'
import {tampered, type Tampering} from './tampered.js'

/** Another boot.conf. That changes the measurement; here it is shown that its parts do not fit together by chance. */
const conf =
  (change: (lines: string[]) => string[]) =>
  (machine: Machine, {subject}: Bench): Promise<void> =>
    reseal(machine, subject, (sealed) => {
      sealed.changeLines(change)
    })

const set = (key: string, value: string | null) => (lines: string[]) => [
  ...lines.filter((line) => !line.startsWith(`${key}=`)),
  ...(value === null ? [] : [`${key}=${value}`]),
]

const refusedConf = (
  id: string,
  title: string,
  change: (lines: string[]) => string[],
  detected: RegExp,
  because: string,
  quick = false,
): Tampering => ({
  ...{
    id,
    title,
    quick,
    detected,
    because,
    group: 'initrd',
    action: `${title.charAt(0).toLowerCase()}${title.slice(1)}`,
  },
  prepare: conf(change),
})

const because = 'boot.conf is read strictly: what is not expected is refused'

export const initrdManipulations = [
  ...tampered([
    refusedConf(
      'conf-unknown',
      'boot.conf gets an unknown key',
      (lines) => [...lines, 'cc-root.shell=yes'],
      /boot\.conf has an unknown key: 'cc-root\.shell'/,
      because,
      true,
    ),
    refusedConf(
      'conf-twice',
      'boot.conf repeats a key',
      (lines) => [...lines, 'cc-root.encryption=none'],
      /boot\.conf repeats the key 'cc-root\.encryption'/,
      because,
    ),
    refusedConf(
      'conf-injection',
      'boot.conf gets a value with shell syntax',
      (lines) => set('cc-root.mount', '/$(poweroff)')(lines),
      /boot\.conf has a value with an unexpected character: 'cc-root\.mount'/,
      because,
    ),
    refusedConf('conf-empty', 'boot.conf is empty', () => [], /boot\.conf/, because),
    refusedConf(
      'conf-plain',
      'boot.conf says that cc-root is not encrypted',
      set('cc-root.encryption', 'none'),
      /cc: FAILED: cc-root: its (content|file system)|verity.*(corrupt|panic)/,
      'what is on the disk is ciphertext, and no file system',
    ),
    refusedConf(
      'conf-key-source',
      'boot.conf names a key source that is not there',
      set('cc-root.key', 'none'),
      /cc: FAILED: cc-root: there is no key source 'none'/,
      'a key source is a program of the initrd',
    ),
    refusedConf(
      'conf-key-path',
      'boot.conf names a path as key source',
      set('cc-root.key', '../../bin/cat'),
      /is not the name of a key source/,
      'a key source is a name, never a path',
    ),
    {
      ...refusedConf(
        'conf-root-hash',
        'boot.conf has another root hash for cc-root',
        set('cc-root.verity-root-hash', '0'.repeat(64)),
        verityStops,
        'the content has another hash',
      ),
      impossible: without('cc-root', 'verity'),
    },
    {
      ...refusedConf(
        'conf-ro-hash',
        'boot.conf has another root hash for cc-ro',
        set('cc-ro.verity-root-hash', '0'.repeat(64)),
        verityStops,
        'the content has another hash',
      ),
      impossible: without('cc-ro', 'verity'),
    },
    {
      ...{id: 'initrd-cut', group: 'initrd', title: 'The sealing archive is not in the initrd'},
      action: 'starts the machine with the initrd of the operating system alone',
      prepare: async (machine, {subject}) => {
        const initrd = await readFile(machine.initrd)
        machine.initrd = join(machine.folder, 'initrd.img')
        await writeFile(machine.initrd, initrd.subarray(0, subject.image.manifest.initrd.sealOffset))
      },
      detected: /boot\.conf is missing/,
      because: 'without boot.conf nothing is opened',
    },
    {
      ...{id: 'append-conf', group: 'initrd', title: 'A second archive brings another boot.conf'},
      action: 'appends an archive whose boot.conf opens cc-root without encryption and with another key source',
      prepare: (machine) =>
        appendArchive(machine, [
          ...[folder('cc')],
          file('cc/boot.conf', 'version=1\nprofile=development\npartitions=cc-root\ncc-root.encryption=none\n'),
        ]),
      detected: /the kernel command line|boot\.conf/,
      because: 'the measurement is another one; and this boot.conf does not name the command line',
    },
  ]),
  ...measured([
    {
      ...{id: 'conf-no-verity', title: 'boot.conf leaves dm-verity out'},
      action: 'changes boot.conf so that cc-root is opened without dm-verity',
      impossible: without('cc-root', 'verity'),
      prepare: conf(set('cc-root.integrity', 'none')),
    },
    {
      ...{id: 'append-init', title: 'A second archive brings another /init', quick: true},
      action: 'appends an archive whose /init is a program of the host',
      prepare: (machine) =>
        appendArchive(machine, [
          file(
            'init',
            '#!/bin/sh\n/bin/mount -t devtmpfs dev /dev\necho CC-OWNED >/dev/console\nexec sleep 100\n',
            0o100755,
          ),
        ]),
    },
    {
      ...{id: 'append-key-source', title: 'A second archive brings another key source'},
      action: 'appends an archive whose key source writes the key to the console',
      prepare: (machine) =>
        appendArchive(machine, [
          file('usr/lib/cc/key-source/development', '#!/bin/sh\necho CC-OWNED >/dev/console\nexit 1\n', 0o100755),
        ]),
    },
    {
      ...{id: 'append-check', title: 'A second archive takes a check of the guest away'},
      action: 'appends an archive whose check-cmdline accepts everything, and starts with init=/bin/sh',
      prepare: async (machine) => {
        await appendArchive(machine, [file('usr/lib/cc/check-cmdline', '#!/bin/sh\nexit 0\n', 0o100755)])
        machine.cmdline += ' init=/bin/sh'
      },
    },
    {
      ...{id: 'rdinit', title: 'rdinit= starts a shell instead of /init'},
      action: 'adds rdinit=/bin/sh to the command line: the kernel then starts no program of ours',
      prepare: (machine) => {
        machine.cmdline += ' rdinit=/bin/sh'
      },
    },
  ]),
]
