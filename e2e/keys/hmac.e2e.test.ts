import {randomBytes} from 'node:crypto'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {expect, it} from 'vitest'

import {boot, copyImage} from '../lib/boot.js'
import {buildOf, cc, folder, lab, runAsUser} from '../lib/lab.js'

const timeoutMs = 1_200_000

/** Writes 40 MiB at the first boot, reads them at the next, and says what it has found. */
const unit = `[Unit]
After=cc-boot-check.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec >/dev/console 2>/dev/null; cd /mnt/cc/app; if [ -e data ]; then if dd if=data of=/dev/null bs=1M; then echo CC-TEST read $(sha256sum <data); else echo CC-TEST unreadable; fi; else head -c 41943040 /dev/zero >data; sync; echo CC-TEST written; fi'
`

it(
  'an authenticated partition: written, read again, and not read any more once the host has changed it',
  {timeout: 3_600_000},
  async () => {
    const work = folder('hmac')
    const file = (name: string, content: string | Buffer) => {
      writeFileSync(join(work, name), content, {mode: 0o644})
      return join(work, name)
    }
    const service = file('cc-test.service', unit)
    const key = file('app.key', randomBytes(32))
    // Links cannot be put into an image, so another unit wants it.
    const wants = file('wants.conf', '[Unit]\nWants=cc-test.service\n')
    const units = '/etc/systemd/system'
    const files = [
      `{path: /etc/cc/keys/app.key, from: ${key}}`,
      `{path: ${units}/cc-test.service, from: ${service}, mode: "0644"}`,
      `{path: ${units}/cc-boot-check.service.d/test.conf, from: ${wants}, mode: "0644"}`,
    ]
    const built = await cc('cc-image-installer', [
      ...['--iso', lab().iso['debian-12'], '--root-key', lab().rootKey, '--output', join(work, 'build'), '--json'],
      ...['--set', `os.files=[${files.join(', ')}]`],
      ...[
        '--set',
        'layout.partitions.cc-app={integrity: hmac, key: key-file, keyFile: /etc/cc/keys/app.key, size: 96M}',
      ],
    ])
    const image = copyImage('hmac', buildOf(built).image)
    const start = async () => {
      const {console: lines} = await boot(image, {until: 'CC-TEST ', timeoutMs})
      return lines.join('\n')
    }

    expect(await start()).toContain('CC-TEST written')
    expect(await start()).toMatch(/CC-TEST read [0-9a-f]{64}/)

    const {partitions, name} = JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')) as {
      name: string
      partitions: {name: string; start: number}[]
    }
    const begin = partitions.find((partition) => partition.name === 'cc-app')?.start ?? 0
    // Nobody can tell where in the ciphertext the file lies; it fills almost half of the partition.
    const places = Array.from({length: 40}, (_, index) => begin + (8 + 2 * index) * 2 ** 20)
    const writes = places.flatMap((offset) => ['-c', `write -P 0x5a ${offset} 4096`])
    const poked = await runAsUser(['qemu-io', '-f', 'qcow2', ...writes, join(image, `${name}.qcow2`)])
    expect(poked.exitCode, poked.stderr).toBe(0)
    const last = await start()
    expect(last).not.toMatch(/CC-TEST read/)
    // The data of the file give an error; a block of the file system itself ends the machine.
    expect(last).toMatch(/CC-TEST unreadable|Kernel panic|cc: FAILED: cc-app/)
  },
)
