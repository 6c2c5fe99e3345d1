import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {secondReads} from './manipulations/changing-disk.js'
import {serveDisk, type Answer, type DiskRequest, type ServedDisk} from './nbd.js'

let dir: string
let served: ServedDisk | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-nbd-'))
  writeFileSync(join(dir, 'disk.raw'), Buffer.alloc(1024 ** 2, 0x11))
})
afterEach(async () => {
  await served?.close()
  rmSync(dir, {recursive: true})
})

/** What QEMU's own client says of a disk of ours. */
async function use(answer: (request: DiskRequest) => Answer, ...commands: string[]): Promise<string> {
  served = await serveDisk(join(dir, 'disk.raw'), join(dir, 'socket'), answer)
  const words = commands.flatMap((command) => ['-c', command])
  const {stdout, stderr} = await run(['qemu-io', '-f', 'raw', ...words, served.url], {collect: true, check: false})
  return `${stdout}${stderr}`
}

describe('a disk that is served', () => {
  it('is what it is when nothing is done to it, and takes what is written', async () => {
    const said = await use(
      () => null,
      'read -P 0x11 0 1M',
      'write -P 0x22 512 70000',
      'flush',
      'read -P 0x22 512 70000',
    )
    expect(said).not.toMatch(/failed|error/i)
    const bytes = readFileSync(join(dir, 'disk.raw'))
    expect([bytes[511], bytes[512], bytes[70_511], bytes[70_512]]).toEqual([0x11, 0x22, 0x22, 0x11])
  })

  it('fails where it is told to', async () => {
    const answer = ({offset}: DiskRequest) => (offset >= 4096 ? ('error' as const) : null)
    const said = await use(answer, 'read -P 0x11 0 4k', 'read 4k 4k', 'write -P 0x22 8k 4k')
    expect(said.match(/(read|write) failed: Input\/output error/g)).toEqual([
      'read failed: Input/output error',
      'write failed: Input/output error',
    ])
    expect(readFileSync(join(dir, 'disk.raw'))[8192]).toBe(0x11)
  })

  it('is another one the second time that a block is read, in its area only, and until it is written', async () => {
    const said = await use(
      secondReads(4096, 12_288),
      'read -P 0x11 0 16k',
      ...['read -P 0x11 0 4k', 'read -P 0xa5 4k 8k', 'read -P 0x11 12k 4k'],
      ...['write -P 0x22 4k 4k', 'read -P 0x22 4k 4k', 'read -P 0xa5 4k 4k'],
    )
    expect(said).not.toMatch(/failed|error/i)
    // What lies there stays as it was.
    expect(readFileSync(join(dir, 'disk.raw'))[8192]).toBe(0x11)
  })
})
