import {randomBytes} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {CcError} from '../errors/index.js'
import {atomicWrite} from '../fs/index.js'
import type {ImageDirectory} from '../manifest/index.js'

/** Where the root file system holds the key of a partition with the key source `sealed`; the guest reads it there. */
export const sealedKeyPath = (partition: string): string => `/etc/cc/sealed/${partition}.key`

/** keys/root.key for cc-root: one name for people to remember. */
export const keyFile = (folder: string, partition: string) => join(folder, `${partition.replace(/^cc-/, '')}.key`)

/** 256 bits of the kernel's generator, or a copy of the key that was asked for. */
export async function makeKey(file: string, given: string | null): Promise<void> {
  await atomicWrite(file, given === null ? randomBytes(32) : await readFile(given), 0o600)
}

/**
 * The file with the key of cc-root of an image that is to be opened.
 * @param given the one that the user names; null: the one beside the image
 * @throws E_KEY where there is no such file
 */
export function rootKeyOf(image: ImageDirectory, given: string | null): string {
  const key = given ?? image.file('keys/root.key')
  if (existsSync(key)) return key
  throw new CcError('E_KEY', `the key of ${image.path} is not there: '${key}'`, {
    suggestions: ['name the file with the root key: --root-key FILE'],
  })
}
