import type {Verdict} from 'cc-core/report'
import type {BootResult} from 'cc-core/vm'

import {channelOffers, describeExit, promptLines, shellLines} from './console-text.js'
import {broken, defended, judgingAttack} from './outcome.js'

/** A boot that somebody sat before. */
export interface ConsoleBoot {
  boot: BootResult
  /** What was said at consoles besides the first. */
  channels: Readonly<Record<string, string>>
  /** How many inputs were sent while the machine was up. */
  inputs: number
}

export interface ConsoleExpectation {
  /** Fewer inputs than these prove nothing. */
  least: number
}

/** What every judge of a console looks for first. */
function offered({boot, channels, inputs}: ConsoleBoot, {least}: ConsoleExpectation, mayEnd: boolean): Verdict | null {
  const offers = [...shellLines(boot.lines), ...promptLines(boot.lines), ...channelOffers(channels)]
  if (offers.length > 0) return broken(`offered: ${offers.join(', ')}`)
  if (boot.lines.some((line) => /uid=0\(root\)|sh: .*not found/.test(line))) return broken('a shell answers')
  if (boot.matched === null) return broken(describeExit(boot))
  if (boot.lines.length === 0) return broken('the console is empty: nothing is known of what was answered')
  if (!mayEnd && boot.exit !== 'running') return broken(`the machine ends: ${describeExit(boot)}`)
  if (inputs < least) return broken(`only ${inputs} of ${least} inputs were sent`)
  return null
}

/** What the kernel says when it obeys a SysRq. */
const obeyed = (boot: BootResult) =>
  boot.lines.filter((line) => /sysrq: (?!This sysrq operation is disabled)/i.test(line)).map((line) => line.trim())

const parts = ['boot', 'channels', 'inputs'] as const

/** Text that is typed at a serial console. */
export const judgeTyping = judgingAttack<ConsoleBoot>(...parts)((seen, expected: ConsoleExpectation) => {
  return (
    offered(seen, expected, false) ??
    defended('powerless', `${seen.inputs} inputs: no shell, no login, no answer; the machine runs on`)
  )
})

/** Commands of SysRq, whichever way they are sent. */
export const judgeSysrq = judgingAttack<ConsoleBoot>(...parts)((seen, expected: ConsoleExpectation) => {
  const said = obeyed(seen.boot)
  if (said.length > 0) return broken(`the kernel obeys: ${said.slice(0, 3).join(', ')}`)
  return (
    offered(seen, expected, false) ??
    defended('powerless', `${seen.inputs} commands: the kernel does nothing, the machine runs on`)
  )
})

/** Ctrl-Alt-Del: it may end the machine, as the host can have it anyway. */
export const judgeCtrlAltDel = judgingAttack<ConsoleBoot>(...parts)((seen, expected: ConsoleExpectation) => {
  const found = offered(seen, expected, true)
  if (found !== null) return found
  const runs = seen.boot.exit === 'running'
  return defended('powerless', runs ? 'nothing happens, the machine runs on' : 'the machine goes off')
})

export interface ScreenBoot extends ConsoleBoot {
  /** Pictures of the screen before the first key and after the last one, in the format PPM. */
  before: Uint8Array
  after: Uint8Array
}

/** Keys of a keyboard, with a screen that would show an answer. */
export const judgeScreen = judgingAttack<ScreenBoot>(
  ...parts,
  'before',
  'after',
)((seen, expected: ConsoleExpectation) => {
  const found = offered(seen, expected, false)
  if (found !== null) return found
  const [before, after] = [picture(seen.before), picture(seen.after)]
  if (before === null || after === null) return broken('a picture of the screen is not a PPM, or is cut')
  const change = changedPixels(before, after)
  if (change > cursorPixels) return broken(`the screen answers to the keyboard: ${change} pixels are different`)
  return defended('powerless', `${seen.inputs} words and changes of the terminal: nothing appears on the screen`)
})

/** A cursor that blinks is less than two characters of 9 x 16. */
const cursorPixels = 2 * 9 * 16

interface Picture {
  width: number
  height: number
  pixels: Uint8Array
}

/** A picture in the raw form of PPM, as QEMU writes one; null for anything else. */
function picture(bytes: Uint8Array): Picture | null {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 64))
  const match = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(head)
  if (match === null) return null
  const [width, height] = [Number(match[1]), Number(match[2])]
  const pixels = bytes.subarray(match[0].length)
  return width * height > 0 && pixels.length === width * height * 3 ? {width, height, pixels} : null
}

/** How many pixels differ; all of them where the sizes do. */
function changedPixels(before: Picture, after: Picture): number {
  if (before.width !== after.width || before.height !== after.height) return after.width * after.height
  let different = 0
  for (let index = 0; index < before.pixels.length; index += 3) {
    if ([0, 1, 2].some((colour) => before.pixels[index + colour] !== after.pixels[index + colour])) different++
  }
  return different
}
