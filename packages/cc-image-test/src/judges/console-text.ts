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

/** What a guest offers to whoever sits at a console: a login, or a question for a password. */
const prompts = /\blogin:\s*$|^Password:/

const shown = (line: string) => `'${line.trim().slice(0, 200)}'`

/** The lines that only somebody sees who is offered a shell. */
export const shellLines = (lines: readonly string[]): string[] =>
  lines.filter((line) => shells.some((pattern) => pattern.test(line))).map(shown)

/** The lines that ask for a login or a password. */
export const promptLines = (lines: readonly string[]): string[] => lines.filter((line) => prompts.test(line)).map(shown)

/** What somebody is offered at consoles besides the first: their text by their name. */
export function channelOffers(channels: Readonly<Record<string, string>>): string[] {
  return Object.entries(channels).flatMap(([name, text]) => {
    const lines = text.split(/\r?\n/)
    return [...shellLines(lines), ...promptLines(lines)].map((line) => `${name} offers ${line}`)
  })
}

/** How a boot ended that should not have ended so, with the last words of the console. */
export function describeExit({exit, lines, ms}: BootResult): string {
  const last = lines.filter((line) => line.trim() !== '').slice(-3)
  const words = last.length === 0 ? 'the console is empty' : `the console ends with: ${last.join(' | ').slice(0, 600)}`
  return `${exit} after ${formatMs(ms)}; ${words}`
}
