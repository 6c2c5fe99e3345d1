import {accessSync, constants, readdirSync} from 'node:fs'
import {access, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import {homeDirectory} from '../exec/index.js'
import {atomicWrite, mkdirp} from '../fs/index.js'
import {formatMs} from '../ui/index.js'
import {bootAndWatch} from './boot.js'
import type {Accelerator} from './qemu-command.js'

/** What makes the processor of a machine, and why it is this one. */
export interface AcceleratorChoice {
  accelerator: Accelerator
  reason: string
}

export interface AcceleratorOptions {
  /** A kernel to boot for the probe; by default one of the host that we may read. */
  kernel?: string
  signal?: AbortSignal | undefined
  /** How long the probe may take; 15 seconds by default. Under KVM it takes 2, also beside other work. */
  timeoutMs?: number
  /** For tests. */
  device?: string
  cacheFile?: string
}

/**
 * KVM where it really works, else TCG, which always does. /dev/kvm may be there and still never run a guest to its
 * end (nested virtualisation), so a kernel is booted first. The answer holds until the host restarts, and is kept.
 * @throws E_INTERRUPTED, E_HOST_TOOL
 */
export async function chooseAccelerator(options: AcceleratorOptions = {}): Promise<AcceleratorChoice> {
  const {device = '/dev/kvm', cacheFile = await defaultCacheFile()} = options
  const refused = await tryAccess(device)
  if (refused !== null) return {accelerator: 'tcg', reason: refused}
  const known = await readCache(cacheFile)
  if (known !== null) return known
  const kernel = options.kernel ?? kernelOfHost()
  if (kernel === null) return {accelerator: 'tcg', reason: `${device} cannot be tried: no kernel in /boot is readable`}
  const choice = await probe(kernel, options)
  await writeCache(cacheFile, choice)
  return choice
}

/** A kernel without user space panics when it has started everything else: then KVM works. */
async function probe(kernel: string, {timeoutMs = 15_000, signal}: AcceleratorOptions): Promise<AcceleratorChoice> {
  const vm = {
    ...({accelerator: 'kvm', memoryMiB: 256, cpus: 1, kernel, disks: []} as const),
    cmdline: 'console=ttyS0 panic=-1',
  }
  try {
    const {matched, ms} = await bootAndWatch({vm, until: /Kernel panic - not syncing: VFS/, timeoutMs, signal})
    if (matched !== null) return {accelerator: 'kvm', reason: `a kernel booted in ${formatMs(ms)}`}
    return {accelerator: 'tcg', reason: `a kernel did not boot under KVM within ${formatMs(timeoutMs)}`}
  } catch (error) {
    if (!CcError.is(error) || error.code !== 'E_VM') throw error
    return {accelerator: 'tcg', reason: `KVM does not work: ${error.message}`}
  }
}

async function tryAccess(device: string): Promise<string | null> {
  try {
    await access(device, constants.R_OK | constants.W_OK)
    return null
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return missing ? `there is no ${device}` : `${device} may not be used by this user`
  }
}

/** Ubuntu lets only root read its kernels; Debian lets everybody. */
function kernelOfHost(): string | null {
  try {
    const kernels = readdirSync('/boot').filter((name) => name.startsWith('vmlinuz'))
    return (
      kernels
        .map((name) => join('/boot', name))
        .sort()
        .findLast(isReadable) ?? null
    )
  } catch {
    return null
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Per start of the host: what did not work may work after an update of kernel or firmware. */
async function defaultCacheFile(): Promise<string> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown')
  const cache = process.env['XDG_CACHE_HOME'] ?? ''
  return join(
    cache.startsWith('/') ? cache : join(homeDirectory() ?? '/nonexistent', '.cache'),
    'cc',
    `accelerator-${bootId.trim()}.json`,
  )
}

async function readCache(file: string): Promise<AcceleratorChoice | null> {
  try {
    const {accelerator, reason} = JSON.parse(await readFile(file, 'utf8')) as Partial<AcceleratorChoice>
    if ((accelerator === 'kvm' || accelerator === 'tcg') && typeof reason === 'string') return {accelerator, reason}
  } catch {
    // None yet, or damaged: probe again.
  }
  return null
}

/** A cache that cannot be written costs a probe, no more. */
async function writeCache(file: string, choice: AcceleratorChoice): Promise<void> {
  try {
    mkdirp(join(file, '..'))
    await atomicWrite(file, `${JSON.stringify(choice)}\n`, 0o600)
  } catch {
    // As said.
  }
}
