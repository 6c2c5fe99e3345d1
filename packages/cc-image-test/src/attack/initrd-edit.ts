import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {ImageUnderTest} from '../image/under-test.js'
import {archive, file, folder, type ArchiveEntry} from './cpio.js'
import type {Machine} from './machine.js'

/** Where an archive may begin: more than the 4 bytes that the kernel asks for, as our own seal does. */
const alignment = 512

/** Put a second archive behind all that is there: its files win. */
export async function appendArchive(machine: Machine, entries: readonly ArchiveEntry[]): Promise<void> {
  await writeInitrd(machine, await readFile(machine.initrd), archive(entries))
}

/** Put another sealing archive in the place of ours. */
export async function reseal(
  machine: Machine,
  subject: ImageUnderTest,
  change: (sealed: Sealed) => void | Promise<void>,
): Promise<void> {
  const sealed = await readSealed(subject)
  await change(sealed)
  const start = subject.image.manifest.initrd.sealOffset
  const system = (await readFile(machine.initrd)).subarray(0, start)
  const files = Object.entries(sealed.files).map(([path, content]) => file(`cc/${path}`, content))
  const folders = new Set(['cc', ...files.map(({path}) => path.slice(0, path.lastIndexOf('/')))])
  await writeInitrd(machine, system, archive([...[...folders].sort().map(folder), ...files]))
}

async function writeInitrd(machine: Machine, first: Buffer, second: Buffer): Promise<void> {
  const gap = Buffer.alloc((alignment - (first.length % alignment)) % alignment)
  machine.initrd = join(machine.folder, 'initrd.img')
  await writeFile(machine.initrd, Buffer.concat([first, gap, second]))
}

/** What the sealing archive holds, by path below cc/. */
export interface Sealed {
  files: Record<string, Buffer>
  /** boot.conf as lines. */
  changeLines: (change: (lines: string[]) => string[]) => void
}

async function readSealed(subject: ImageUnderTest): Promise<Sealed> {
  const root = await subject.sealed()
  const files: Record<string, Buffer> = {}
  for (const name of readdirSync(root, {recursive: true, encoding: 'utf8'})) {
    const path = join(root, name)
    if (existsSync(path) && !isFolder(path)) files[name] = readFileSync(path)
  }
  return {
    files,
    changeLines: (change) => {
      const lines = (files['boot.conf'] ?? Buffer.alloc(0)).toString('utf8').trimEnd().split('\n')
      files['boot.conf'] = Buffer.from(`${change(lines).join('\n')}\n`)
    },
  }
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path)
    return true
  } catch {
    return false
  }
}

/** What boot.conf says of one key; empty where it says nothing. */
export async function sealedValue(subject: ImageUnderTest, key: string): Promise<string> {
  const {files} = await readSealed(subject)
  const line = (files['boot.conf'] ?? Buffer.alloc(0))
    .toString('utf8')
    .split('\n')
    .find((text) => text.startsWith(`${key}=`))
  return line?.slice(key.length + 1) ?? ''
}
