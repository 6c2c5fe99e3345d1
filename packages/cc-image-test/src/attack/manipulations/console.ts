import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {PassThrough} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'

import type {Verdict} from 'cc-core/report'
import type {BootResult} from 'cc-core/vm'

import {describeExit, shellLines} from '../../image/console.js'
import type {Bench} from '../bench.js'
import {broken, defended, type Manipulation} from '../manipulation.js'
import {openMonitor, pressKeys, type Monitor} from '../monitor.js'
import {promptLines, promptsIn} from '../said.js'

const minute = 60_000
/** What people type who want a shell; each line once a second. */
const typed = ['\r', 'root\r', '\r', 'toor\r', '\x03', '\x04', 'sh\r', 'id\r', '\x1b[15~', '\x1a', '\x1c', 'help\r']

/** What is left of a boot that somebody sat before. */
function judge(boot: BootResult, folder: string, mayEnd: boolean): Verdict | null {
  const offered = [...shellLines(boot.lines), ...promptLines(boot.lines), ...promptsIn(folder)]
  if (offered.length > 0) return broken(`offered: ${offered.join(', ')}`)
  if (boot.lines.some((line) => /uid=0\(root\)|sh: .*not found/.test(line))) return broken('a shell answers')
  if (boot.matched === null) return broken(describeExit(boot))
  if (!mayEnd && boot.exit !== 'running') return broken(`the machine ends: ${describeExit(boot)}`)
  return null
}

/** What the kernel says when it obeys a SysRq. */
const obeyed = (boot: BootResult) =>
  boot.lines.filter((line) => /sysrq: (?!This sysrq operation is disabled)/i.test(line)).map((line) => line.trim())

async function serial(bench: Bench): Promise<Verdict> {
  await bench.baseline()
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
  return (
    judge(boot, machine.folder, false) ??
    defended('powerless', `${count} inputs in a minute: no shell, no login, no answer; the machine runs on`)
  )
}

async function serialBreak(bench: Bench): Promise<Verdict> {
  await bench.baseline()
  const machine = await bench.machine('console-break')
  const keys = new PassThrough()
  const letters = 'hetpmwlzdkvrsucbo'.split('')
  const boot = await bench.boot(machine, {
    keys,
    whileUp: async (signal) => {
      for (const letter of letters) {
        if (signal.aborted) return
        // Ctrl-A b: QEMU sends a break, which is the SysRq of a serial line.
        keys.write('\x01b')
        await sleep(300)
        keys.write(letter)
        await sleep(700)
      }
    },
  })
  const said = obeyed(boot)
  if (said.length > 0) return broken(`the kernel obeys: ${said.slice(0, 3).join(', ')}`)
  return (
    judge(boot, machine.folder, false) ??
    defended('powerless', `a break and each of ${letters.join('')}: the kernel does nothing, the machine runs on`)
  )
}

/** A machine with a screen and a keyboard, and what is done there. */
async function keyboard(bench: Bench, id: string, act: (monitor: Monitor, signal: AbortSignal) => Promise<void>) {
  await bench.baseline()
  const machine = await bench.machine(id)
  machine.devices.push('-device', 'VGA', '-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd,bus=usb.0')
  // A unix socket has a short path, wherever the work folder is.
  const socket = join('/tmp', `cc-qmp-${process.pid}-${id}`)
  machine.monitor = socket
  const before = join(machine.folder, 'before.ppm')
  const after = join(machine.folder, 'after.ppm')
  const boot = await bench.boot(machine, {
    timeoutMs: bench.settings.timeoutMs + 2 * minute,
    whileUp: async (signal) => {
      const monitor = await openMonitor(socket)
      try {
        await monitor.execute('screendump', {filename: before})
        await act(monitor, signal)
        await monitor.execute('screendump', {filename: after})
      } finally {
        monitor.close()
      }
    },
  })
  return {boot, machine, change: screenChange(before, after)}
}

/** How many pixels of two pictures (PPM, raw) differ; a cursor that blinks is less than two characters of 9 x 16. */
function screenChange(before: string, after: string): number {
  if (!existsSync(before) || !existsSync(after)) return 0
  const [one, two] = [readFileSync(before), readFileSync(after)]
  if (one.length !== two.length) return Math.max(one.length, two.length)
  let different = 0
  for (let index = 0; index < one.length; index += 3)
    if (one[index] !== two[index] || one[index + 1] !== two[index + 1]) different++
  return different
}

const cursorPixels = 2 * 9 * 16

async function screen(bench: Bench): Promise<Verdict> {
  let count = 0
  const {boot, machine, change} = await keyboard(bench, 'console-keyboard', async (monitor, signal) => {
    const words = ['root', 'sh', 'id'].map((word) => [...word.split(''), 'ret'])
    for (const end = Date.now() + minute; Date.now() < end && !signal.aborted; count++) {
      if (count % 5 === 4) await pressKeys(monitor, 'ctrl', 'alt', `f${(count % 12) + 1}`)
      else for (const key of words[count % words.length] ?? []) await pressKeys(monitor, key)
      await sleep(1000)
    }
  })
  if (change > cursorPixels) return broken(`the screen answers to the keyboard: ${change} pixels are different`)
  return (
    judge(boot, machine.folder, false) ??
    defended('powerless', `${count} words and changes of the terminal in a minute: nothing appears on the screen`)
  )
}

async function sysrqKeys(bench: Bench): Promise<Verdict> {
  const {boot, machine} = await keyboard(bench, 'console-sysrq', async (monitor, signal) => {
    for (const letter of 'hetmwrksucb'.split('')) {
      if (signal.aborted) return
      await pressKeys(monitor, 'alt', 'sysrq', letter)
      await sleep(700)
    }
  })
  const said = obeyed(boot)
  if (said.length > 0) return broken(`the kernel obeys: ${said.slice(0, 3).join(', ')}`)
  return judge(boot, machine.folder, false) ?? defended('powerless', 'the kernel does nothing, the machine runs on')
}

async function ctrlAltDel(bench: Bench): Promise<Verdict> {
  const {boot, machine} = await keyboard(bench, 'console-ctrl-alt-del', async (monitor, signal) => {
    // systemd takes seven of them within two seconds for an emergency.
    for (let count = 0; count < 12 && !signal.aborted; count++) await pressKeys(monitor, 'ctrl', 'alt', 'delete')
    await sleep(15_000, undefined, {signal}).catch(() => undefined)
  })
  const found = judge(boot, machine.folder, true)
  if (found !== null) return found
  return defended(
    'powerless',
    boot.exit === 'running'
      ? 'nothing happens, the machine runs on'
      : 'the machine goes off, as the host can have it anyway',
  )
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
  about('console-sysrq', 'SysRq by the keyboard', 'presses Alt-SysRq and a letter, for each command', sysrqKeys),
  about('console-ctrl-alt-del', 'Ctrl-Alt-Del', 'presses Ctrl-Alt-Del twelve times in a row', ctrlAltDel),
]
