import {mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {run} from '../exec/index.js'
import {inspectDisk, readPartitionTable} from './index.js'

let dir: string
const file = (name: string) => join(dir, name)
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-disk-'))
})
afterEach(() => {
  rmSync(dir, {recursive: true})
})

describe('inspectDisk', () => {
  it('reads a qcow2', async () => {
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', file('a'), '8M'])
    expect(await inspectDisk(file('a'))).toMatchObject({
      ...{format: 'qcow2', virtualSize: 8 * 1024 ** 2, encrypted: false, corrupt: false, snapshots: 0, otherFiles: []},
    })
  })

  it('names the other files that a qcow2 needs', async () => {
    writeFileSync(file('secret'), 'x'.repeat(512))
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', file('secret'), '-F', 'raw', file('a')])
    expect((await inspectDisk(file('a'))).otherFiles).toEqual([file('secret')])
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', `data_file=${file('data')}`, file('b'), '1M'])
    expect((await inspectDisk(file('b'))).otherFiles).toEqual([file('data')])
  })

  it('refuses what is no qcow2', async () => {
    writeFileSync(file('raw'), 'no')
    await expect(inspectDisk(file('raw'))).rejects.toMatchObject({code: 'E_IMAGE'})
  })
})

describe('readPartitionTable', () => {
  it('gives bytes and lower-case GUIDs', async () => {
    writeFileSync(file('disk'), '')
    truncateSync(file('disk'), 8 * 1024 ** 2)
    const guid = '0FC63DAF-8483-4772-8E79-3D69D8477DE4'
    const input = `label: gpt\nlabel-id: ${guid}\nstart=2048, size=2048, type=${guid}, uuid=${guid}, name="cc-a"\n`
    await run(['sfdisk', '--quiet', file('disk')], {input})
    const lower = guid.toLowerCase()
    expect(await readPartitionTable(file('disk'))).toEqual({
      ...{label: 'gpt', diskGuid: lower},
      partitions: [{name: 'cc-a', start: 1048576, size: 1048576, typeGuid: lower, partGuid: lower, attributes: ''}],
    })
  })

  it('refuses a disk without a table', async () => {
    writeFileSync(file('disk'), Buffer.alloc(4096))
    await expect(readPartitionTable(file('disk'))).rejects.toMatchObject({code: 'E_IMAGE'})
  })
})
