import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {skipped, type Verdict} from 'cc-core/report'
import {z} from 'zod'

import {judgeLive, type Afterwards, type LiveBoot} from '../../judges/live.js'
import type {Attempt} from '../../judges/network.js'
import type {Bench} from '../bench.js'
import {channelsIn} from '../channels.js'
import {hostileFilesystem} from '../hostile-disk.js'
import type {Machine} from '../machine.js'
import type {Manipulation} from '../manipulation.js'
import {diskUse, openMonitor, pressKeys, type Monitor} from '../monitor.js'
import {outboundOf} from '../ports.js'
import {guestMac, HostileHost} from '../wire/host.js'
import {layWire, type Wire} from '../wire/wire.js'
import {hostileDisk, types} from './devices.js'

const mebibyte = 1024 ** 2
/** How long the machine has to do something wrong. Without KVM a hot-plugged device takes some seconds to be seen. */
const patienceMs = 20_000

/** The hands of the host on a machine that runs. */
interface Hands {
  machine: Machine
  monitor: Monitor
  /** Asks QEMU for something, and remembers what it said. */
  ask: (command: string, options?: Record<string, unknown>) => Promise<void>
  /** Lays a further cable to the machine, and answers at its other end. */
  cable: () => Promise<Wire>
  /** The id of a PCI port that nothing is plugged into yet. */
  port: () => string
}

export interface LiveAttack extends Omit<Manipulation, 'run'> {
  because: string
  /** What is done to the machine before it starts. */
  prepare?: (machine: Machine, bench: Bench) => Promise<void> | void
  /** What is done once it is up. */
  act: (hands: Hands) => Promise<void>
  /** Ids of disks that `act` attaches. */
  disks?: readonly string[]
  mayEnd?: RegExp
  impossible?: (bench: Bench) => string | null
  /** Ends what `prepare` has begun. */
  finish?: () => Promise<void>
}

/** PCI ports into which something can be plugged while the machine runs: a machine without them takes nothing. */
const ports = Array.from({length: 8}, (_, index) => `port${index}`)
const portWords = ports.flatMap((id, index) => ['-device', `pcie-root-port,id=${id},chassis=${index}`])

/** Attacks on a machine that is up, as manipulations. */
export const live = (entries: readonly LiveAttack[]): Manipulation[] =>
  entries.map(({because, prepare, act, disks = [], mayEnd, impossible, finish, ...about}) => ({
    ...about,
    async run(bench): Promise<Verdict> {
      const reason = impossible?.(bench) ?? null
      if (reason !== null) return skipped(reason)
      try {
        const seen = await attack(bench, about.id, {act, ...(prepare && {prepare})})
        const outbound = outboundOf(bench.subject)
        const hardened = bench.subject.image.manifest.stage === 'hardened'
        return judgeLive(seen, {because, disks, outbound, hardened, ...(mayEnd && {mayEnd})})
      } finally {
        await finish?.()
      }
    },
  }))

async function attack(
  bench: Bench,
  id: string,
  {prepare, act}: Pick<LiveAttack, 'prepare' | 'act'>,
): Promise<LiveBoot> {
  const baseline = await bench.baseline()
  const machine = await bench.machine(id)
  // A unix socket has a short path, wherever the work folder is.
  const socket = join('/tmp', `cc-qmp-${process.pid}-${id}`)
  const wires: Wire[] = []
  const packets: Attempt[][] = []
  const cable = async () => {
    const wire = await layWire()
    wires.push(wire)
    const host = new HostileHost(wire, {hostile: true})
    packets.push(host.attempts)
    return {wire, host}
  }
  try {
    const first = await cable()
    machine.monitor = socket
    machine.devices.push(...first.wire.words(guestMac), ...portWords)
    await prepare?.(machine, bench)
    const done: LiveBoot['done'][number][] = []
    let afterwards: Afterwards | undefined
    const boot = await bench.boot(machine, {
      whileUp: async (signal) => {
        const monitor = await openMonitor(socket)
        try {
          const ask = async (command: string, options?: Record<string, unknown>) => {
            const error = refusal.safeParse(await monitor.execute(command, options))
            done.push({what: command, error: error.success ? error.data.error.desc : null})
          }
          const free = [...ports]
          const port = () => free.shift() ?? 'none-left'
          await act({machine, monitor, ask, cable: async () => (await cable()).wire, port})
          await sleep(patienceMs, undefined, {signal}).catch(() => undefined)
          if (!signal.aborted) afterwards = await look(monitor, first.host, signal)
        } finally {
          monitor.close()
        }
      },
    })
    return {boot, baseline, channels: await channelsIn(machine.folder), done, packets: packets.flat(), afterwards}
  } finally {
    for (const wire of wires) wire.close()
  }
}

const refusal = z.object({error: z.object({desc: z.string()})})
const statusAnswer = z.object({return: z.object({status: z.string()})})

/** @returns undefined where the machine ended meanwhile */
async function look(monitor: Monitor, host: HostileHost, signal: AbortSignal): Promise<Afterwards | undefined> {
  const status = statusAnswer.safeParse(await monitor.execute('query-status'))
  const disks = await diskUse(monitor)
  if (!status.success || disks === undefined) return undefined
  return {status: status.data.return.status, hears: await host.isHeard(signal), disks}
}

/** Plug in a raw disk. */
async function plugDisk({ask, port}: Hands, id: string, file: string, serial: string): Promise<void> {
  await ask('blockdev-add', {driver: 'raw', 'node-name': `${id}-file`, file: {driver: 'file', filename: file}})
  await ask('device_add', {driver: 'virtio-blk-pci', id, drive: `${id}-file`, bus: port(), serial})
}

export const liveAttacks: readonly LiveAttack[] = [
  {
    ...{id: 'hotplug-disk', group: 'devices', title: 'A disk is plugged in while the machine runs'},
    action: 'plugs in a disk with a file system of the host, which has the label and the partition type of cc-root',
    because: 'nothing mounts a disk that boot.conf does not name, nor any that comes later',
    disks: ['hot'],
    act: async (hands) => {
      const {file} = await hostileFilesystem(hands.machine.folder, 16 * mebibyte)
      const disk = await hostileDisk(hands.machine.folder, 'hot', [{type: types.root, name: 'cc-root', content: file}])
      await plugDisk(hands, 'hot', disk, 'hot')
    },
  },
  {
    ...{id: 'hotplug-own-disks', group: 'devices', title: 'Data disks are plugged in while the machine runs'},
    action: 'plugs in disks with the serials nvflare-input and nvflare-log after the machine has looked for them',
    because: 'data disks are looked for once, before the machine says that it is locked down',
    disks: ['hot-input', 'hot-log'],
    act: async (hands) => {
      const {file} = await hostileFilesystem(hands.machine.folder, 16 * mebibyte)
      await plugDisk(hands, 'hot-input', file, 'nvflare-input')
      const empty = await hostileDisk(hands.machine.folder, 'empty', [])
      await plugDisk(hands, 'hot-log', empty, 'nvflare-log')
    },
  },
  {
    ...{id: 'hotplug-network', group: 'devices', title: 'Network cards are plugged in while the machine runs'},
    action: 'plugs in a virtio and an e1000e card whose DHCP server, router and name server are hostile',
    because: 'the firewall is by address and port, not by card; a driver that is not loaded yet is refused',
    act: async ({ask, cable, port}) => {
      for (const [index, driver] of ['virtio-net-pci', 'e1000e'].entries()) {
        const {local, remote} = (await cable()).ends
        await ask('netdev_add', {type: 'socket', id: `net${index}`, udp: remote, localaddr: local})
        const mac = `52:54:00:77:01:0${index}`
        await ask('device_add', {driver, id: `card${index}`, netdev: `net${index}`, mac, bus: port()})
      }
    },
  },
  {
    ...{id: 'hotplug-usb', group: 'devices', title: 'A USB keyboard and a stick are plugged in while the machine runs'},
    action: 'plugs in a USB controller with a keyboard and a stick, types, presses Ctrl-Alt-Del and SysRq',
    because: 'no driver is loaded once the machine is up, and nothing reads a keyboard',
    disks: ['stick'],
    act: async ({machine, monitor, ask, port}) => {
      const {file} = await hostileFilesystem(machine.folder, 16 * mebibyte)
      await ask('device_add', {driver: 'qemu-xhci', id: 'usb', bus: port()})
      await ask('device_add', {driver: 'usb-kbd', id: 'keyboard', bus: 'usb.0'})
      await ask('blockdev-add', {driver: 'raw', 'node-name': 'stick-file', file: {driver: 'file', filename: file}})
      await ask('device_add', {driver: 'usb-storage', id: 'stick', drive: 'stick-file', bus: 'usb.0'})
      await sleep(5000)
      for (const key of ['r', 'o', 'o', 't', 'ret', 's', 'h', 'ret']) await pressKeys(monitor, key)
      await pressKeys(monitor, 'ctrl', 'alt', 'delete')
      await pressKeys(monitor, 'alt', 'sysrq', 'b')
    },
  },
  {
    ...{id: 'nmi', group: 'devices', title: 'The host sends non-maskable interrupts'},
    action: 'sends three non-maskable interrupts',
    because: 'the kernel goes on, or it panics and the machine ends',
    mayEnd: /Kernel panic - not syncing: NMI/,
    act: async ({ask}) => {
      for (let count = 0; count < 3; count++) {
        await ask('inject-nmi')
        await sleep(1000)
      }
    },
  },
]

export const liveManipulations = live(liveAttacks)
