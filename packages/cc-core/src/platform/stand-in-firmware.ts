/** GUIDs of the table before the reset vector (OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm of EDK II). */
const guids = {
  hashes: '7255371f-3a3b-4b04-927b-1da6efa8d454',
  resetBlock: '00f771de-1a7e-4fcb-890e-68c77e2fb44e',
  metadata: 'dc886566-984a-4798-a75e-5585a7bf67cc',
  footer: '96b582de-1fb2-45f7-baea-a366c55a082d',
}

const bytes = 0x10000
const metadataAt = 0x8000

/**
 * 64 KiB in the form of OvmfPkg/AmdSev, for launch digests where no such firmware is at hand: a table of GUIDs names the
 * place of the hashes of kernel, initrd and command line, the reset address of further processors and the SEV metadata.
 * Nothing boots with it.
 * @param hashes whether it has the table for the hashes, as firmware of another kind has not
 */
export function standInFirmware({hashes = true} = {}): Buffer {
  const image = Buffer.alloc(bytes)
  // Pages that the platform measures as zeros, the secrets, CPUID, and the page with the hashes.
  const sections = [
    [0x800000, 0x9000, 1],
    [0x80d000, 0x1000, 2],
    [0x80e000, 0x1000, 3],
    ...(hashes ? [[0x80f000, 0x1000, 0x10]] : []),
  ]
  const head = [16 + 12 * sections.length, 1, sections.length]
  Buffer.concat([Buffer.from('ASEV'), words(head), words(sections.flat())]).copy(image, metadataAt)
  const entries = [
    ...(hashes ? [entry(guids.hashes, words([0x80fc00, 0x400]))] : []),
    entry(guids.resetBlock, words([0x80b004])),
    entry(guids.metadata, words([bytes - metadataAt])),
  ]
  const length = entries.reduce((sum, {length: own}) => sum + own, 18)
  const table = Buffer.concat([...entries, short(length), guid(guids.footer)])
  table.copy(image, bytes - 32 - table.length)
  return image
}

const short = (value: number) => Buffer.from([value & 255, value >> 8])
const entry = (name: string, data: Buffer) => Buffer.concat([data, short(data.length + 18), guid(name)])

function words(values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, 4 * index)
  return buffer
}

/** A GUID as firmware writes it: the first three groups with their lowest byte first (RFC 9562, appendix A). */
function guid(text: string): Buffer {
  const raw = Buffer.from(text.replaceAll('-', ''), 'hex')
  return Buffer.concat([
    raw.subarray(0, 4).reverse(),
    raw.subarray(4, 6).reverse(),
    raw.subarray(6, 8).reverse(),
    raw.subarray(8),
  ])
}
