import {appendFile, copyFile, open, readFile} from 'node:fs/promises'
import {basename, join} from 'node:path'

import {CcError} from 'cc-core/errors'
import {run} from 'cc-core/exec'

/** Changes a launch; files that are changed are copies in the folder. */
export type Change = (words: readonly string[], folder: string) => Promise<string[]>

/**
 * Change the value that follows an option.
 * @throws E_VM where the launcher did not print it: a change that changes nothing would prove nothing
 */
function changeValue(words: readonly string[], option: string, change: (value: string) => string): string[] {
  const at = words.indexOf(option)
  const value = words[at + 1]
  if (at < 0 || value === undefined) throw new CcError('E_VM', `the launcher prints no ${option}`)
  return replaced(words, at + 1, change(value))
}

/** The same for a part of the one word that begins with a text, for example of an object of QEMU. */
function changeIn(words: readonly string[], begin: string, from: RegExp, to: (match: string) => string): string[] {
  const at = words.findIndex((word) => word.startsWith(begin) && from.test(word))
  const word = words[at]
  if (word === undefined) throw new CcError('E_VM', `the launcher prints no ${begin} with ${String(from)}`)
  return replaced(words, at, word.replace(from, to))
}

function replaced(words: readonly string[], at: number, word: string): string[] {
  if (words[at] === word) throw new CcError('E_VM', `'${word}' was not changed`)
  return words.map((old, index) => (index === at ? word : old))
}

const snp = 'sev-snp-guest,'
const withPolicyBit =
  (bit: bigint): Change =>
  (words) =>
    Promise.resolve(
      changeIn(words, snp, /policy=0x[0-9a-f]+/, (text) => {
        const policy = BigInt(text.slice('policy='.length))
        return `policy=0x${(policy | bit).toString(16)}`
      }),
    )

/** A copy of the file that an option names, changed. */
const withFile =
  (option: string, change: (copy: string) => Promise<void>): Change =>
  async (words, folder) => {
    const file = words[words.indexOf(option) + 1] ?? ''
    const copy = join(folder, basename(file))
    await copyFile(file, copy)
    await change(copy)
    return changeValue(words, option, () => copy)
  }

/** One more byte: the kernel does not look at what is behind it, and the launch digest does. */
const longer = (bytes: number) => (copy: string) => appendFile(copy, Buffer.alloc(bytes))

/** A byte of the padding: the firmware works as before. */
async function padded(copy: string): Promise<void> {
  const at = (await readFile(copy)).indexOf(Buffer.alloc(64, 0xff))
  if (at < 0) throw new CcError('E_VM', `${copy} has no padding whose change would do no harm`)
  const file = await open(copy, 'r+')
  try {
    await file.write(Buffer.of(0xfe), 0, 1, at + 32)
  } finally {
    await file.close()
  }
}

/** @param expected numbers with a launch digest that is expected: such a machine rightly gets its keys */
export const changeCpus =
  (expected: readonly number[]): Change =>
  (words) =>
    Promise.resolve(
      changeValue(words, '-smp', (number) => {
        let other = Number(number) + 1
        while (expected.includes(other)) other++
        return String(other)
      }),
    )

/** Processors that every host with SEV-SNP can show. A launch digest has family, model and stepping of them. */
const families = ['EPYC-Milan', 'EPYC-Rome', 'EPYC']
/** The versions of a type differ in nothing that is measured: EPYC-v3 has the digest of EPYC-v4. */
const familyOf = (type: string) => type.replace(/-(v\d+|IBPB)$/, '')

/** @param expected types with a launch digest that is expected */
export const changeCpuType =
  (expected: readonly string[]): Change =>
  (words) =>
    Promise.resolve(
      changeValue(words, '-cpu', (type) => {
        const known = [type, ...expected].map(familyOf)
        const other = families.find((family) => !known.includes(family))
        if (other === undefined)
          throw new CcError('E_VM', `the image may be launched with each of ${families.join(', ')}`)
        return other
      }),
    )
export const changeFirmware = withFile('-bios', padded)
export const changeKernel = withFile('-kernel', longer(1))
export const changeInitrd = withFile('-initrd', longer(512))
export const changeCmdline: Change = (words) =>
  Promise.resolve(changeValue(words, '-append', (text) => `${text} systemd.unit=rescue.target`))
export const allowDebugging = withPolicyBit(0x80000n)
export const allowMigration = withPolicyBit(0x40000n)
export const changeHostData: Change = (words) =>
  Promise.resolve(
    changeIn(words, snp, /host-data=[A-Za-z0-9+/=]+/, () => `host-data=${Buffer.alloc(32).toString('base64')}`),
  )
/** No network card at all: the broker cannot be asked. */
export const withoutNetwork: Change = (words) => {
  const at = words.indexOf('-netdev')
  if (at < 0) throw new CcError('E_VM', 'the launcher prints no -netdev')
  // -netdev VALUE -device VALUE.
  return Promise.resolve([...words.slice(0, at), '-nic', 'none', ...words.slice(at + 4)])
}

/**
 * A byte of each MiB of the root changed, in a layer above the disk: the image is left alone.
 * @param start where the partition begins on the disk, in bytes
 */
export const changeDisk =
  (start: number, bytes: number): Change =>
  async (words, folder) => {
    const layer = join(folder, 'altered.qcow2')
    const drive = words.find((word) => word.startsWith('if=none,id=disk0,')) ?? ''
    const file = /,file=(.*)$/s.exec(drive)?.[1]?.replaceAll(',,', ',')
    if (file === undefined) throw new CcError('E_VM', 'the launcher prints no disk0')
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', file, '-F', 'qcow2', layer], {})
    const writes = Array.from({length: Math.max(1, Math.floor(bytes / 1024 ** 2))}, (_, index) => [
      ...['-c', `write -q -P 0xaa ${start + index * 1024 ** 2} 4096`],
    ])
    await run(['qemu-io', '-f', 'qcow2', ...writes.slice(0, 4096).flat(), layer], {})
    return changeIn(words, 'if=none,id=disk0,', /,file=.*$/s, () => `,file=${layer.replaceAll(',', ',,')}`)
  }
