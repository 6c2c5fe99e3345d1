import {execFileSync} from 'node:child_process'
import {createReadStream, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {manifestSchema, type Manifest, type ManifestPartition} from 'cc-core/manifest'

import {boot, copyImage, type Boot} from '../lib/boot.js'
import {folder, lab, runAsUser} from '../lib/lab.js'

const manifest = (): Manifest =>
  manifestSchema.parse(JSON.parse(readFileSync(join(lab().image, 'manifest.json'), 'utf8')))

function partition(name: string): ManifestPartition {
  const found = manifest().partitions.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no partition ${name}`)
  return found
}

/** Change bytes of the disk, as the host can. */
async function poke(image: string, offset: number, bytes: number, pattern: number): Promise<void> {
  const disk = join(image, `${manifest().name}.qcow2`)
  const result = await runAsUser(['qemu-io', '-f', 'qcow2', '-c', `write -P ${pattern} ${offset} ${bytes}`, disk])
  expect(result.exitCode, result.stderr).toBe(0)
}

/** What must hold for every boot that was tampered with. */
function expectPoweredOff({console: lines, ended}: Boot): void {
  const text = lines.join('\n')
  expect(ended, text).toBe('powered-off')
  expect(text).not.toContain('CC-BOOT')
  expect(text).not.toMatch(/\(initramfs\)|# $|\$ $|login:|Press Enter|sulogin|dropping to a shell/im)
}

/** The one plain line that says why. */
const failures = ({console: lines}: Boot) => lines.filter((line) => line.includes('cc: FAILED:'))

describe('the disk', () => {
  it('with one byte of cc-ro changed is caught by the kernel', async () => {
    const image = copyImage('ro-data')
    const {start} = partition('cc-ro')
    // The file system has its label in its first block, at 1024 + 120.
    await poke(image, start + 1024 + 120, 1, 0x58)
    const result = await boot(image)
    expectPoweredOff(result)
    expect(result.console.join('\n')).toMatch(/verity.*corrupt|altered|root hash/)
  })

  it('with one byte of the hash tree of cc-ro changed is caught, too', async () => {
    const image = copyImage('ro-tree')
    const {start, verity} = partition('cc-ro')
    await poke(image, start + (verity?.blocks ?? 0) * 4096 + 5, 1, 0xa5)
    const result = await boot(image)
    expectPoweredOff(result)
    expect(result.console.join('\n')).toMatch(/verity.*corrupt|altered|root hash/)
  })

  it('with a LUKS header of the host in front of cc-root does not open with it', async () => {
    const image = copyImage('root-header')
    const work = folder('planted')
    const planted = join(work, 'planted')
    const key = join(work, 'key')
    writeFileSync(key, 'the host knows this key, 32 bytes', {mode: 0o600})
    execFileSync('truncate', ['-s', '32M', planted])
    const format = [
      'luksFormat',
      '--batch-mode',
      '--type',
      'luks2',
      '--pbkdf',
      'pbkdf2',
      '--pbkdf-force-iterations',
      '1000',
    ]
    execFileSync('cryptsetup', [...format, '--key-file', key, planted])
    execFileSync('truncate', ['-s', '16M', planted])
    execFileSync('chmod', ['-R', 'a+rX', work])
    const window = `driver=raw,offset=${partition('cc-root').start},size=16777216,file.driver=qcow2,file.file.driver=file,file.file.filename=${join(image, `${manifest().name}.qcow2`)}`
    const written = await runAsUser(['qemu-img', 'convert', '-n', '-f', 'raw', '--target-image-opts', planted, window])
    expect(written.exitCode, written.stderr).toBe(0)
    // The right key still opens the data, by the header of the initrd; what the host wrote there is noise.
    const result = await boot(image)
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringContaining('cc-root: its file system cannot be mounted')])
  })

  it('twice, so that a name stands for two partitions, is refused', async () => {
    const image = copyImage('twice')
    const second = join(folder('second'), 'second.qcow2')
    execFileSync('cp', [join(image, `${manifest().name}.qcow2`), second])
    execFileSync('chmod', ['a+rw', second])
    const result = await boot(image, {disks: [second]})
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringContaining('cc-root: two partitions have this name')])
  })

  it('without one of the partitions is refused', async () => {
    const image = copyImage('missing')
    // Zeros over both partition tables.
    await poke(image, 0, 34 * 512, 0)
    await poke(image, manifest().disk.bytes - 33 * 512, 33 * 512, 0)
    const result = await boot(image)
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringContaining('cc-root: no partition has this name')])
  })
})

describe('the key', () => {
  it('that is wrong powers the machine off with one plain line', async () => {
    const image = copyImage('wrong-key')
    const key = join(folder('wrong'), 'key')
    writeFileSync(key, Buffer.alloc(32, 7), {mode: 0o644})
    const result = await boot(image, {rootKey: key})
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringContaining('cc-root: the key does not open it; powering off')])
  })

  it('that is not there powers the machine off, saying so', async () => {
    const result = await boot(copyImage('no-key'), {rootKey: null})
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringMatching(/no key from 'development': QEMU offers no fw_cfg entry/)])
  })
})

describe('the initrd', () => {
  /** Without a TEE nothing measures the initrd; what is shown here is that its parts do not fit together by chance. */
  async function reseal(name: string, change: (sealed: string) => void): Promise<string> {
    const image = copyImage(name)
    const work = folder(`${name}-sealed`)
    const sealed = join(work, 'sealed')
    const {sealOffset} = manifest().initrd
    const step = async (id: string, ...words: string[]) => {
      const result = await runAsUser(['bash', join(lab().scripts, `${id}.sh`), ...words])
      expect(result.exitCode, result.stderr).toBe(0)
    }
    const initrd = join(image, 'initrd.img')
    await step('disk/unpack-initrd', '--initrd', initrd, '--offset', String(sealOffset), '--output', sealed)
    change(sealed)
    const base = join(work, 'base')
    const stream = createReadStream(initrd, {end: sealOffset - 1})
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    writeFileSync(base, Buffer.concat(chunks))
    execFileSync('rm', ['-f', initrd])
    const parts = ['--boot-conf', join(sealed, 'boot.conf'), '--header', join(sealed, 'headers/cc-root.luks')]
    await step('disk/make-initrd', '--initrd', base, ...parts, '--output', initrd, '--source-date-epoch', '1')
    return image
  }

  it('with a header of another volume does not open the root', async () => {
    const other = join(folder('other-header'), 'header')
    const key = lab().rootKey
    execFileSync('truncate', ['-s', '32M', `${other}.disk`])
    const quick = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
    execFileSync('cryptsetup', [
      'luksFormat',
      '--batch-mode',
      '--type',
      'luks2',
      ...quick,
      '--key-file',
      key,
      `${other}.disk`,
    ])
    execFileSync('cryptsetup', ['luksHeaderBackup', `${other}.disk`, '--header-backup-file', other])
    execFileSync('chmod', ['a+r', other])
    const image = await reseal('swapped-header', (sealed) => {
      execFileSync('cp', ['--no-preserve=mode', other, join(sealed, 'headers/cc-root.luks')])
    })
    const result = await boot(image)
    expectPoweredOff(result)
    expect(failures(result)).toHaveLength(1)
  })

  it('with an edited header does not open the root', async () => {
    const image = await reseal('edited-header', (sealed) => {
      const file = join(sealed, 'headers/cc-root.luks')
      const header = readFileSync(file)
      // The metadata of both copies: their checksums no longer hold.
      for (const offset of [4096 + 10, 16384 + 4096 + 10]) header.writeUInt8(header.readUInt8(offset) ^ 1, offset)
      writeFileSync(file, header)
    })
    const result = await boot(image)
    expectPoweredOff(result)
    expect(failures(result)).toHaveLength(1)
  })

  it('with a boot.conf that asks for something unknown is refused', async () => {
    const image = await reseal('edited-conf', (sealed) => {
      const file = join(sealed, 'boot.conf')
      writeFileSync(file, `${readFileSync(file, 'utf8')}cc-root.shell=yes\n`)
    })
    const result = await boot(image)
    expectPoweredOff(result)
    expect(failures(result)).toEqual([expect.stringContaining("boot.conf has an unknown key: 'cc-root.shell'")])
  })
})
