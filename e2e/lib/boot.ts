import {execFileSync} from 'node:child_process'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {basename, join} from 'node:path'

import {SubprocessError} from 'cc-core/exec'

import {folder, lab, runAsUser} from './lab.js'
import {giveToUser} from './user.js'

export interface Boot {
  console: string[]
  /** The guest ended by itself, by power off or a panic; or it came up and we ended it. */
  ended: 'powered-off' | 'came-up'
}

/** A raw disk that the guest finds by its serial. */
export interface DataDisk {
  file: string
  serial: string
  readOnly?: boolean
}

export interface BootOptions {
  /** A key for cc-root instead of that of the image; null: no key is offered. */
  rootKey?: string | null
  /** Further disks. */
  disks?: string[]
  dataDisks?: DataDisk[]
  memory?: string
  /** What the clock of the machine says at its start, as -rtc base of QEMU takes it. */
  clock?: string
  /** Whether it has a network card, behind the address translation of QEMU: this host is 10.0.2.2. Or its options. */
  network?: boolean | string
  /** Called with each line of the console; stop() ends the machine as a loss of power would. */
  onLine?: (line: string, stop: () => void) => void
  /** What the console says when it has come up. */
  until?: string
  timeoutMs?: number
}

/** A copy of an image that a test may change; of the shared one by default. */
export function copyImage(name: string, image = lab().image): string {
  const copy = join(folder(`image-${name}`), 'image')
  execFileSync('cp', ['-r', image, copy])
  giveToUser(copy)
  return copy
}

/** Boot an image in QEMU as the test user until it says CC-BOOT or ends. */
export async function boot(image: string, options: BootOptions = {}): Promise<Boot> {
  const {
    rootKey,
    disks = [],
    dataDisks = [],
    memory = '768',
    clock = 'utc',
    network = false,
    until = 'CC-BOOT {',
    timeoutMs = 240_000,
  } = options
  const keys = keysOf(image, rootKey)
  const nic = ['user', 'model=virtio-net-pci', ...(typeof network === 'string' ? [network] : [])].join(',')
  const {name} = JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8')) as {name: string}
  const console: string[] = []
  const stop = new AbortController()
  const argv = [
    ...[
      'qemu-system-x86_64',
      '-machine',
      'q35',
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'max',
      '-smp',
      '2',
      '-m',
      memory,
    ],
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio', '-monitor', 'none'],
    ...['-rtc', `base=${clock}`],
    ...['-nic', network === false ? 'none' : nic],
    ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initrd.img')],
    ...['-append', readFileSync(join(image, 'cmdline'), 'utf8').trim()],
    ...[join(image, `${name}.qcow2`), ...disks].flatMap((file) => ['-drive', `file=${file},if=virtio,format=qcow2`]),
    ...dataDisks.flatMap(({file, serial, readOnly = false}) => [
      '-drive',
      `file=${file},if=none,id=${serial},format=raw,readonly=${readOnly ? 'on' : 'off'}`,
      '-device',
      `virtio-blk-pci,drive=${serial},serial=${serial}`,
    ]),
    ...keys.flatMap(([name, file]) => ['-fw_cfg', `name=opt/cc/keys/${name},file=${file}`]),
  ]
  try {
    await runAsUser(argv, {
      timeoutMs,
      signal: stop.signal,
      onLine: (line) => {
        console.push(line)
        options.onLine?.(line, () => {
          stop.abort()
        })
        if (line.includes(until)) stop.abort()
      },
    })
    return {console, ended: 'powered-off'}
  } catch (error) {
    if (error instanceof SubprocessError && stop.signal.aborted) return {console, ended: 'came-up'}
    throw new Error(console.join('\n'), {cause: error})
  }
}

/** What the host offers of keys, by the partition: all of the image, as the launcher does. */
function keysOf(image: string, rootKey: string | null | undefined): [string, string][] {
  if (rootKey === null || !existsSync(join(image, 'keys'))) return []
  return readdirSync(join(image, 'keys')).map((file) => {
    const name = `cc-${basename(file, '.key')}`
    return [name, name === 'cc-root' && rootKey !== undefined ? rootKey : join(image, 'keys', file)]
  })
}

/** Boot an image that has to come up, and return what its boot check says of a partition. */
export async function bootReport(image: string, partition: string): Promise<unknown> {
  const {console, ended} = await boot(image)
  const line = console.find((text) => text.includes('CC-BOOT {'))
  if (ended !== 'came-up' || line === undefined) throw new Error(`it did not come up:\n${console.join('\n')}`)
  const report = JSON.parse(line.slice(line.indexOf('{'))) as {partitions: {name: string}[]}
  return report.partitions.find(({name}) => name === partition)
}
