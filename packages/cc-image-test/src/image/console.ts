import {formatMs} from 'cc-core/ui'
import type {BootResult} from 'cc-core/vm'

/** What the shells of initramfs-tools, busybox, systemd and bash say when they are offered. */
const shells = [
  /^\s*\(initramfs\)/,
  /BusyBox v\d/,
  /job control turned off/,
  /You are in (emergency|rescue) mode/i,
  /(Give|Enter) root password/i,
  /Press Enter (for|to) (maintenance|continue)/i,
  /^\s*(ba|da)?sh-\d+\.\d+[#$]/,
  /^\s*(root@[\w.-]+:\S*|~|\/)\s*#\s*$/,
]

/** The lines that only somebody sees who is offered a shell. */
export function shellLines(lines: readonly string[]): string[] {
  return lines
    .filter((line) => shells.some((pattern) => pattern.test(line)))
    .map((line) => `'${line.trim().slice(0, 200)}'`)
}

/** How a boot ended that should not have ended so, with the last words of the console. */
export function describeExit({exit, lines, ms}: BootResult): string {
  const last = lines.filter((line) => line.trim() !== '').slice(-3)
  const words = last.length === 0 ? 'the console is empty' : `the console ends with: ${last.join(' | ').slice(0, 600)}`
  return `${exit} after ${formatMs(ms)}; ${words}`
}
