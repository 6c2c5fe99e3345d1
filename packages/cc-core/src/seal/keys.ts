import {randomBytes} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {atomicWrite} from '../fs/index.js'

/** Where the root file system holds the key of a partition with the key source `sealed`; the guest reads it there. */
export const sealedKeyPath = (partition: string): string => `/etc/cc/sealed/${partition}.key`

/** keys/root.key for cc-root: one name for people to remember. */
export const keyFile = (folder: string, partition: string) => join(folder, `${partition.replace(/^cc-/, '')}.key`)

/** 256 bits of the kernel's generator, or a copy of the key that was asked for. */
export async function makeKey(file: string, given: string | null): Promise<void> {
  await atomicWrite(file, given === null ? randomBytes(32) : await readFile(given), 0o600)
}
