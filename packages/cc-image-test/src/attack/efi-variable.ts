import {existsSync} from 'node:fs'
import {copyFile, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

/** Firmware with a variable store, as distributions install it: the program, and an empty store. */
const firmware = ['_4M', ''].map((size) => [`OVMF_CODE${size}.fd`, `OVMF_VARS${size}.fd`] as const)
const folders = ['/usr/share/OVMF', '/usr/share/edk2/ovmf', '/usr/share/edk2-ovmf/x64']

/** Null: this host has none. */
export function findVariableFirmware(): {code: string; variables: string} | null {
  for (const folder of folders) {
    for (const [code, variables] of firmware) {
      const found = {code: join(folder, code), variables: join(folder, variables)}
      if (existsSync(found.code) && existsSync(found.variables)) return found
    }
  }
  return null
}

export interface EfiVariable {
  name: string
  vendor: string
  data: Buffer
}

/** systemd takes its text for a part of the kernel command line: systemd(1), SystemdOptions. */
export const systemdOptions = (text: string): EfiVariable => ({
  name: 'SystemdOptions',
  vendor: '8cf2644b-4b0b-428f-9387-6d876050dc67',
  data: Buffer.from(`${text}\0`, 'utf16le'),
})

/** gEfiAuthenticatedVariableGuid of edk2: a store whose variables have the longer head. */
const storeGuid = guid('aaf32c78-947b-439a-a180-2e144ec37792')
const storeHead = 28
const variableHead = 60
const align = (offset: number) => (offset + 3) & ~3

/** A GUID in the byte order of EFI. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
  return Buffer.concat([
    bytes.subarray(0, 4).reverse(),
    bytes.subarray(4, 6).reverse(),
    bytes.subarray(6, 8).reverse(),
    bytes.subarray(8),
  ])
}

/**
 * Put a variable behind those of a store of OVMF, as the host can: non-volatile, for boot and run time.
 * https://github.com/tianocore/edk2/blob/master/MdeModulePkg/Include/Guid/VariableFormat.h
 * @throws Error where the bytes are not a store of that kind, or where it is full
 */
export function addVariable(store: Buffer, {name, vendor, data}: EfiVariable): Buffer {
  const start = store.indexOf(storeGuid)
  if (start < 0) throw new Error('this is not a variable store of OVMF')
  const end = start + store.readUInt32LE(start + 16)
  let at = align(start + storeHead)
  while (at + variableHead <= end && store.readUInt16LE(at) === 0x55aa) {
    at = align(at + variableHead + store.readUInt32LE(at + 36) + store.readUInt32LE(at + 40))
  }
  const nameBytes = Buffer.from(`${name}\0`, 'utf16le')
  if (at + variableHead + nameBytes.length + data.length > end) throw new Error('the variable store is full')
  const changed = Buffer.from(store)
  changed.fill(0, at, at + variableHead)
  changed.writeUInt16LE(0x55aa, at)
  changed.writeUInt8(0x3f, at + 2) // added, and not deleted
  changed.writeUInt32LE(7, at + 4) // non-volatile, boot service, run time
  changed.writeUInt32LE(nameBytes.length, at + 36)
  changed.writeUInt32LE(data.length, at + 40)
  guid(vendor).copy(changed, at + 44)
  nameBytes.copy(changed, at + variableHead)
  data.copy(changed, at + variableHead + nameBytes.length)
  return changed
}

/** The words for QEMU of a machine whose firmware has this variable. */
export async function firmwareWithVariable(folder: string, variable: EfiVariable): Promise<string[]> {
  const found = findVariableFirmware()
  if (found === null) throw new Error('there is no OVMF with a variable store')
  const [code, store] = [join(folder, 'code.fd'), join(folder, 'variables.fd')]
  await copyFile(found.code, code)
  await writeFile(store, addVariable(await readFile(found.variables), variable))
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${store}`],
  ]
}
