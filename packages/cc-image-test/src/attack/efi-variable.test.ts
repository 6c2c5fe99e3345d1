import {describe, expect, it} from 'vitest'

import {addVariable, systemdOptions} from './efi-variable.js'

/** A store with room for so many bytes behind its head, behind the head of a volume. */
function store(bytes: number): Buffer {
  const head = Buffer.alloc(72 + 28)
  Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex').copy(head, 72)
  head.writeUInt32LE(28 + bytes, 72 + 16)
  return Buffer.concat([head, Buffer.alloc(bytes, 0xff)])
}

describe('a variable of a store of OVMF', () => {
  const variable = systemdOptions('systemd.hostname=owned')

  it('begins where the others end, at a multiple of four', () => {
    const one = addVariable(store(1024), {...variable, name: 'Odd', data: Buffer.from('abc')})
    expect(one.readUInt16LE(100)).toBe(0x55aa)
    expect(one.subarray(160, 160 + 8).toString('utf16le')).toBe('Odd\0')
    const two = addVariable(one, variable)
    const at = 172
    expect(two.readUInt16LE(at)).toBe(0x55aa)
    expect(two.subarray(at + 44, at + 60).toString('hex')).toBe('4b64f28c0b4b8f4293876d876050dc67')
    expect(two.subarray(at + 60, at + 90).toString('utf16le')).toBe('SystemdOptions\0')
    expect(two.subarray(at + 90, at + 90 + variable.data.length).toString('utf16le')).toBe('systemd.hostname=owned\0')
    expect(two.length).toBe(1124)
  })

  it('is refused in another file, and in a full one', () => {
    expect(() => addVariable(Buffer.alloc(4096), variable)).toThrow('not a variable store')
    expect(() => addVariable(store(64), variable)).toThrow('full')
  })
})
