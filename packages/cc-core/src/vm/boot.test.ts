import {chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {PassThrough} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {bootAndWatch, chooseAccelerator} from './index.js'

const vm = {accelerator: 'tcg', memoryMiB: 64, cpus: 1, kernel: '/no/kernel', cmdline: '', disks: []} as const
const path = process.env['PATH']
let dir: string

/** Put a program in the place of QEMU: a shell script. */
function fakeQemu(script: string): void {
  const file = join(dir, 'qemu-system-x86_64')
  writeFileSync(file, `#!/bin/sh\necho $$ >${dir}/pid\n${script}\n`)
  chmodSync(file, 0o755)
}

/** Whether the program in the place of QEMU still runs. */
function isRunning(): boolean {
  try {
    process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 0)
    return true
  } catch {
    return false
  }
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-vm-'))
  process.env['PATH'] = `${dir}:${path ?? ''}`
})
afterEach(() => {
  process.env['PATH'] = path
  rmSync(dir, {recursive: true})
})

describe('bootAndWatch', () => {
  it('ends the machine at the line it waits for', async () => {
    fakeQemu('echo one; echo CC-BOOT two; exec sleep 60')
    const boot = await bootAndWatch({vm, until: /^CC-BOOT/g, timeoutMs: 20_000})
    expect(boot).toMatchObject({lines: ['one', 'CC-BOOT two'], matched: 'CC-BOOT two', exit: 'running'})
    expect(boot.ms).toBeLessThan(10_000)
    expect(isRunning()).toBe(false)
  })

  it('reads on for a while after the line', async () => {
    fakeQemu("echo ready; sleep 0.2; printf 'sh-5.2# '; exec sleep 60")
    const {lines} = await bootAndWatch({vm, until: /ready/, timeoutMs: 20_000, lingerMs: 1500})
    expect(lines).toEqual(['ready', 'sh-5.2# '])
  })

  it('types what it is given, and does what is to be done while the machine runs', async () => {
    fakeQemu('echo "$*"; read word; echo "got $word"; exec sleep 60')
    const keys = new PassThrough()
    const seen: string[] = []
    const boot = await bootAndWatch({
      ...{vm, until: /mux=on/, timeoutMs: 20_000, keys},
      onLine: (line) => seen.push(line),
      whileUp: async () => {
        keys.write('hello\n')
        while (!seen.includes('got hello')) await sleep(20)
      },
    })
    expect(boot).toMatchObject({exit: 'running'})
    expect(boot.lines).toContain('got hello')
    expect(isRunning()).toBe(false)
  })

  it('ends what is done to the machine when the machine ends, and passes on its failure', async () => {
    fakeQemu('echo up')
    let ended = false
    const whileUp = async (signal: AbortSignal) => {
      await sleep(10_000, undefined, {signal}).catch(() => undefined)
      ended = signal.aborted
    }
    expect(await bootAndWatch({vm, until: /up/, timeoutMs: 20_000, whileUp})).toMatchObject({exit: 'powered-off'})
    expect(ended).toBe(true)
    const failing = bootAndWatch({vm, until: /up/, timeoutMs: 20_000, whileUp: () => Promise.reject(new Error('lost'))})
    await expect(failing).rejects.toThrow('lost')
  })

  it.each([
    ['echo bye', 'powered-off'],
    ["echo '[    1.0] Kernel panic - not syncing: VFS'", 'panicked'],
  ])('says how a machine ended by itself: %s', async (script, exit) => {
    fakeQemu(script)
    expect(await bootAndWatch({vm, until: /never/, timeoutMs: 20_000})).toMatchObject({matched: null, exit})
  })

  it('leaves no machine behind when the time is over', async () => {
    fakeQemu("trap '' TERM; echo up; while :; do sleep 1; done")
    expect(await bootAndWatch({vm, until: /never/, timeoutMs: 500})).toMatchObject({lines: ['up'], exit: 'timed-out'})
    expect(isRunning()).toBe(false)
  })

  it('leaves no machine behind when it is interrupted', async () => {
    fakeQemu('echo up; exec sleep 60')
    const abort = new AbortController()
    const boot = bootAndWatch({
      ...{vm, timeoutMs: 20_000, signal: abort.signal},
      onLine: () => {
        abort.abort()
      },
    })
    await expect(boot).rejects.toMatchObject({code: 'E_INTERRUPTED'})
    await sleep(50)
    expect(isRunning()).toBe(false)
  })

  it('tells what QEMU said when it fails, without control characters', async () => {
    fakeQemu(String.raw`printf 'qemu: \033[31mno such kernel\n' >&2; exit 1`)
    await expect(bootAndWatch({vm, timeoutMs: 20_000})).rejects.toMatchObject({
      code: 'E_VM',
      message: 'QEMU failed: qemu: no such kernel',
    })
  })

  it('keeps the console in a log of its owner, without control characters', async () => {
    fakeQemu(String.raw`printf '\033]0;owned\007\033[2Jhello\033[31m\r\n\377\000x\n'`)
    const logFile = join(dir, 'logs/boot.log')
    const {lines} = await bootAndWatch({vm, timeoutMs: 20_000, logFile})
    expect(lines).toEqual(['hello', '\ufffdx'])
    const log = readFileSync(logFile, 'utf8')
    expect(log).toMatch(/^\$ qemu-system-x86_64 .*\nhello\n\ufffdx\n# powered-off after /)
    // eslint-disable-next-line no-control-regex
    expect(log).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    expect(statSync(logFile).mode & 0o777).toBe(0o600)
  })

  it('survives a guest that writes without end, and keeps the end of it', async () => {
    fakeQemu('head -c 40000000 /dev/zero | tr "\\0" x; echo; echo last; exec sleep 60')
    const logFile = join(dir, 'boot.log')
    const {lines, matched} = await bootAndWatch({vm, until: /^last$/, timeoutMs: 60_000, logFile})
    expect(matched).toBe('last')
    expect(lines.join('').length).toBeLessThan(5_000_000)
    expect(statSync(logFile).size).toBeLessThan(34_000_000)
    expect(readFileSync(logFile, 'utf8')).toContain('# the rest is not logged')
  })
})

describe('chooseAccelerator', () => {
  const options = () => ({kernel: '/no/kernel', device: join(dir, 'kvm'), cacheFile: join(dir, 'cache/a.json')})

  it('takes TCG without a device, and asks again the next time', async () => {
    expect(await chooseAccelerator(options())).toEqual({accelerator: 'tcg', reason: `there is no ${dir}/kvm`})
  })

  it.runIf(process.getuid?.() !== 0)('takes TCG where the device is not ours', async () => {
    writeFileSync(join(dir, 'kvm'), '', {mode: 0o000})
    expect((await chooseAccelerator(options())).reason).toContain('may not be used by this user')
  })

  it('takes KVM when a kernel comes to its end, and remembers it', async () => {
    writeFileSync(join(dir, 'kvm'), '')
    fakeQemu("echo 'Kernel panic - not syncing: VFS: Unable to mount root fs'; exec sleep 60")
    expect(await chooseAccelerator(options())).toMatchObject({accelerator: 'kvm'})
    fakeQemu('exit 1')
    expect(await chooseAccelerator(options())).toMatchObject({accelerator: 'kvm'})
  })

  it.each([
    ['hangs', 'exec sleep 60', 'a kernel did not boot under KVM within 0.5 s'],
    ['reboots at once', 'true', 'a kernel did not boot under KVM'],
    ['makes QEMU abort', 'echo cannot set MSR >&2; kill -ABRT $$', 'KVM does not work: QEMU failed: cannot set MSR'],
    ['is refused', 'echo nested: off >&2; exit 1', 'KVM does not work: QEMU failed: nested: off'],
  ])('takes TCG when the kernel %s, and remembers it', async (_, script, reason) => {
    writeFileSync(join(dir, 'kvm'), '')
    fakeQemu(script)
    const choice = await chooseAccelerator({...options(), timeoutMs: 500})
    expect(choice.accelerator).toBe('tcg')
    expect(choice.reason).toContain(reason)
    expect(JSON.parse(readFileSync(options().cacheFile, 'utf8'))).toEqual(choice)
  })

  it('does not believe a damaged cache', async () => {
    writeFileSync(join(dir, 'kvm'), '')
    fakeQemu('exit 1')
    writeFileSync(join(dir, 'damaged.json'), '{"accelerator":"kvm"')
    expect(await chooseAccelerator({...options(), cacheFile: join(dir, 'damaged.json')})).toMatchObject({
      accelerator: 'tcg',
    })
  })
})
