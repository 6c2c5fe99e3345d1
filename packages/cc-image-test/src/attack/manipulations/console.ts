import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {PassThrough} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'

import type {Verdict} from 'cc-core/report'

import {
  judgeCtrlAltDel,
  judgeScreen,
  judgeSysrq,
  judgeTyping,
  type ConsoleBoot,
  type ScreenBoot,
} from '../../judges/console.js'
import type {Incomplete} from '../../judges/evidence.js'
import type {Bench} from '../bench.js'
import {channelsIn} from '../channels.js'
import type {Manipulation} from '../manipulation.js'
import {openMonitor, pressKeys, type Monitor} from '../monitor.js'

const minute = 60_000
/** What people type who want a shell; each line once a second. */
const typed = ['\r', 'root\r', '\r', 'toor\r', '\x03', '\x04', 'sh\r', 'id\r', '\x1b[15~', '\x1a', '\x1c', 'help\r']

async function serial(bench: Bench): Promise<Verdict> {
  const machine = await bench.machine('console-serial')
  const keys = new PassThrough()
  let count = 0
  const boot = await bench.boot(machine, {
    keys,
    timeoutMs: bench.settings.timeoutMs + 2 * minute,
    whileUp: async (signal) => {
      for (const end = Date.now() + minute; Date.now() < end && !signal.aborted; count++) {
        keys.write(typed[count % typed.length])
        await sleep(1000)
      }
    },
  })
  return judgeTyping({boot, channels: await channelsIn(machine.folder), inputs: count}, {least: 30})
}

async function serialBreak(bench: Bench): Promise<Verdict> {
  const machine = await bench.machine('console-break')
  const keys = new PassThrough()
  const letters = 'hetpmwlzdkvrsucbo'.split('')
  let count = 0
  const boot = await bench.boot(machine, {
    keys,
    whileUp: async (signal) => {
      for (const letter of letters) {
        if (signal.aborted) return
        // Ctrl-A b: QEMU sends a break, which is the SysRq of a serial line.
        keys.write('\x01b')
        await sleep(300)
        keys.write(letter)
        count++
        await sleep(700)
      }
    },
  })
  return judgeSysrq({boot, channels: await channelsIn(machine.folder), inputs: count}, {least: letters.length})
}

/** A machine with a screen and a keyboard; what is pressed there, and how often. */
async function keyboard(
  bench: Bench,
  id: string,
  press: (monitor: Monitor, count: number) => Promise<void>,
  {times, pause, afterwards = 0}: {times: number; pause: number; afterwards?: number},
): Promise<ConsoleBoot & Incomplete<ScreenBoot>> {
  const machine = await bench.machine(id)
  machine.devices.push('-device', 'VGA', '-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd,bus=usb.0')
  // A unix socket has a short path, wherever the work folder is.
  const socket = join('/tmp', `cc-qmp-${process.pid}-${id}`)
  machine.monitor = socket
  const [before, after] = [join(machine.folder, 'before.ppm'), join(machine.folder, 'after.ppm')]
  let inputs = 0
  const boot = await bench.boot(machine, {
    timeoutMs: bench.settings.timeoutMs + 2 * minute,
    whileUp: async (signal) => {
      const monitor = await openMonitor(socket)
      try {
        await monitor.execute('screendump', {filename: before})
        for (; inputs < times && !signal.aborted; inputs++) {
          await press(monitor, inputs)
          await sleep(pause)
        }
        await sleep(afterwards, undefined, {signal}).catch(() => undefined)
        await monitor.execute('screendump', {filename: after})
      } finally {
        monitor.close()
      }
    },
  })
  const picture = (file: string) => (existsSync(file) ? readFileSync(file) : undefined)
  const channels = await channelsIn(machine.folder)
  return {boot, channels, inputs, before: picture(before), after: picture(after)}
}

async function screen(bench: Bench): Promise<Verdict> {
  const words = ['root', 'sh', 'id'].map((word) => [...word.split(''), 'ret'])
  const press = async (monitor: Monitor, count: number) => {
    if (count % 5 === 4) await pressKeys(monitor, 'ctrl', 'alt', `f${(count % 12) + 1}`)
    else for (const key of words[count % words.length] ?? []) await pressKeys(monitor, key)
  }
  const times = 40
  return judgeScreen(await keyboard(bench, 'console-keyboard', press, {times, pause: 1000}), {least: times})
}

async function sysrqKeys(bench: Bench): Promise<Verdict> {
  const letters = 'hetmwrksucb'.split('')
  const press = async (monitor: Monitor, count: number) => {
    await pressKeys(monitor, 'alt', 'sysrq', letters[count] ?? 'h')
  }
  const times = letters.length
  return judgeSysrq(await keyboard(bench, 'console-sysrq', press, {times, pause: 700}), {least: times})
}

async function ctrlAltDel(bench: Bench): Promise<Verdict> {
  const press = async (monitor: Monitor) => {
    await pressKeys(monitor, 'ctrl', 'alt', 'delete')
  }
  // systemd takes seven of them within two seconds for an emergency.
  const seen = await keyboard(bench, 'console-ctrl-alt-del', press, {times: 12, pause: 0, afterwards: 15_000})
  return judgeCtrlAltDel(seen, {least: 7})
}

const about = (
  id: string,
  title: string,
  action: string,
  run: (bench: Bench) => Promise<Verdict>,
  quick = false,
): Manipulation => ({id, title, action, run, quick, group: 'console'})

export const consoleManipulations: readonly Manipulation[] = [
  about('console-serial', 'Typing at the serial console', 'types at the serial console for 60 seconds', serial, true),
  about(
    'console-break',
    'SysRq by the serial console',
    'sends a break and a letter, for each command of SysRq',
    serialBreak,
  ),
  about('console-keyboard', 'Typing at a keyboard and a screen', 'attaches both, and types for 60 seconds', screen),
  about(
    'console-sysrq',
    'SysRq by the keyboard',
    'presses Alt-SysRq and a letter, for each command; whether a driver of the guest takes the keys is not shown',
    sysrqKeys,
  ),
  about('console-ctrl-alt-del', 'Ctrl-Alt-Del', 'presses Ctrl-Alt-Del twelve times in a row', ctrlAltDel),
]
