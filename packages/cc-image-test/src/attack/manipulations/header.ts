import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {writeFile} from 'node:fs/promises'

import {placeBytes, placeFile} from '../disk-edit.js'
import {hostileFilesystem} from '../hostile-disk.js'
import {reseal} from '../initrd-edit.js'
import {otherHeader, withNullCipher, withRequirement} from '../luks-edit.js'
import type {Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import {partitionOf, without} from './disk.js'
import {tampered} from './tampered.js'

const header = 'headers/cc-root.luks'
const notOpened =
  /cc: FAILED: cc-root: (the key does not open it|its (content|file system|header)|.*header)|verity.*(corrupt|panic)/

/** Another header for cc-root in the initrd. That changes the measurement; here it is shown what the guest makes of it. */
const replaced =
  (change: (header: Buffer, machine: Machine) => Buffer | Promise<Buffer>) =>
  async (machine: Machine, {subject}: Bench): Promise<void> => {
    await reseal(machine, subject, async ({files}) => {
      files[header] = await change(files[header] ?? Buffer.alloc(0), machine)
    })
  }

/** A root file system of the host, readable without any key, where cc-root is. */
async function plantRoot(machine: Machine, bench: Bench): Promise<void> {
  const {file, bytes} = await hostileFilesystem(machine.folder, 16 * 1024 ** 2)
  await placeFile(machine.disk, partitionOf(bench, 'cc-root').start, file, bytes)
}

export const headerManipulations = tampered([
  {
    ...{id: 'header-planted', group: 'header', title: 'A LUKS header of the host stands before cc-root', quick: true},
    action: 'writes a LUKS2 header with a null cipher, and a root file system of its own, into cc-root',
    impossible: without('cc-root', 'luks2'),
    prepare: async (machine, bench) => {
      const key = join(machine.folder, 'key')
      await writeFile(key, 'the host knows this key, 32 bytes', {mode: 0o600})
      const planted = withNullCipher(await otherHeader(machine.folder, key, true))
      const {start} = partitionOf(bench, 'cc-root')
      await placeBytes(machine.disk, start, planted, join(machine.folder, 'planted'))
    },
    detected: notOpened,
    because: 'the header of the initrd is used; what stands on the disk in its place is noise',
  },
  {
    ...{id: 'header-null', group: 'header', title: 'The header in the initrd has a null cipher'},
    action:
      'gives the segment of the header in the initrd a null cipher, and puts its own root file system on the disk',
    impossible: (bench) => without('cc-root', 'luks2')(bench) ?? without('cc-root', 'verity')(bench),
    prepare: async (machine, bench) => {
      await replaced(withNullCipher)(machine, bench)
      await plantRoot(machine, bench)
    },
    detected: notOpened,
    because: 'the measurement is another one; and dm-verity has the hash of the right content',
  },
  {
    ...{id: 'header-other', group: 'header', title: 'The header in the initrd is that of another volume'},
    action: 'puts a header into the initrd that the same key opens, with another volume key',
    impossible: without('cc-root', 'luks2'),
    prepare: (machine, bench) =>
      replaced(() => otherHeader(machine.folder, bench.subject.image.file('keys/root.key')))(machine, bench),
    detected: notOpened,
    because: 'the measurement is another one; and the content decrypts to noise',
  },
  {
    ...{id: 'header-flipped', group: 'header', title: 'The header in the initrd is damaged'},
    action: 'changes one byte in both copies of the metadata in the initrd',
    impossible: without('cc-root', 'luks2'),
    prepare: replaced((found) => {
      const damaged = Buffer.from(found)
      for (const offset of [4106, 20490]) damaged[offset] = (damaged[offset] ?? 0) ^ 1
      return damaged
    }),
    detected: notOpened,
    because: 'its checksum is wrong',
  },
  {
    ...{id: 'header-reencrypt', group: 'header', title: 'The header in the initrd asks for re-encryption'},
    action: 'adds the requirement online-reencrypt to the header in the initrd (CVE-2021-4122)',
    impossible: without('cc-root', 'luks2'),
    prepare: replaced(withRequirement),
    detected: notOpened,
    because: 'cryptsetup refuses it',
  },
  {
    ...{id: 'header-missing', group: 'header', title: 'The header is not in the initrd'},
    action: 'takes the header of cc-root out of the initrd',
    impossible: without('cc-root', 'luks2'),
    prepare: (machine, {subject}) =>
      reseal(machine, subject, (sealed) => {
        sealed.files = Object.fromEntries(Object.entries(sealed.files).filter(([path]) => path !== header))
      }),
    detected: notOpened,
    because: 'no header on the disk is ever tried instead',
  },
  {
    ...{id: 'out-header', group: 'header', title: 'cc-out has a LUKS header of the host'},
    action: 'writes a LUKS2 header with a null cipher, whose key it knows, into cc-out',
    impossible: without('cc-out', 'any'),
    prepare: async (machine, bench) => {
      const key = join(machine.folder, 'key')
      await writeFile(key, 'the host knows this key, 32 bytes', {mode: 0o600})
      const planted = join(machine.folder, 'planted')
      await writeFile(planted, withNullCipher(await otherHeader(machine.folder, key, true)))
      const {start} = partitionOf(bench, 'cc-out')
      const {length} = await readFile(planted)
      await placeFile(machine.disk, start, planted, length)
    },
    powerless: true,
    detected: /cc: FAILED: cc-out: /,
    because: 'without its key it stays closed; with its key a header of any form but our own is refused',
  },
  {
    ...{id: 'key-wrong', group: 'header', title: 'The host hands out another key'},
    action: 'hands out 32 other bytes as the key of cc-root',
    impossible: without('cc-root', 'luks2'),
    prepare: async (machine) => {
      machine.rootKey = join(machine.folder, 'wrong.key')
      await writeFile(machine.rootKey, Buffer.alloc(32, 7), {mode: 0o600})
    },
    detected: /cc: FAILED: cc-root: the key does not open it/,
    because: 'the key does not fit the header of the initrd',
  },
  {
    ...{id: 'key-missing', group: 'header', title: 'The host hands out no key'},
    action: 'hands out no key',
    impossible: without('cc-root', 'luks2'),
    prepare: (machine) => {
      machine.rootKey = null
    },
    detected: /cc: FAILED: cc-root: no key from/,
    because: 'without a key nothing is opened',
  },
])
