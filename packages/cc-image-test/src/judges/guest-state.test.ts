import {describe, expect, it} from 'vitest'

import {exceptMount} from './guest-state.js'

const mounts = (log: unknown) => ({'CC-HARDENED mounts': {input: 'none', log}, 'CC-BOOT hostname': 'cc'})
const judge = exceptMount('log', ['none', 'disk-raw'])
const baseline = mounts('absent')

describe('a machine with a disk of the host that it did not have before', () => {
  it('may say so of this disk, and is the same otherwise', () => {
    expect(judge(mounts('disk-raw'), baseline)).toBeNull()
    expect(judge({'CC-BOOT hostname': 'cc'}, {'CC-BOOT hostname': 'cc'})).toBeNull()
  })

  it('is told from one that mounts it, and from one that is in another state', () => {
    expect(judge(mounts('disk-plain'), baseline)).toBe('log is "disk-plain"')
    expect(judge({...mounts('disk-raw'), 'CC-BOOT hostname': 'owned'}, baseline)).toContain('hostname')
  })

  it('has to say what it did with the disk', () => {
    expect(judge(mounts(undefined), baseline)).toBe('log is missing')
    expect(judge({'CC-BOOT hostname': 'cc'}, baseline)).toBe('log is missing')
    expect(judge({'CC-HARDENED text': '{', 'CC-BOOT hostname': 'cc'}, baseline)).toBe('log is missing')
  })
})

describe('a server whose locked cc-out gives way to a disk of the host', () => {
  const output = '/mnt/data/nvflare/output'
  const server = (
    kind: unknown,
    tmpfs: readonly string[],
    partitions: unknown = [{name: 'cc-out', mount: output}],
  ) => ({
    'CC-HARDENED mounts': {output: kind},
    'CC-BOOT partitions': partitions,
    'CC-BOOT tmpfs': tmpfs,
  })
  const of = exceptMount('output', ['none', 'ignored', 'disk-plain'])
  const held = server('locked', ['/run', '/tmp', output])

  it('loses the file system in memory that held its place, and no other', () => {
    expect(of(server('disk-plain', ['/run', '/tmp']), held)).toBeNull()
    expect(of(server('disk-plain', ['/run']), held)).toContain('tmpfs')
    expect(of(server('disk-plain', ['/run', '/tmp', '/etc']), held)).toContain('tmpfs')
    expect(of(server('disk-plain', ['/run', '/tmp', output]), held)).toContain('tmpfs')
  })

  it('keeps it where the disk is not mounted, or is another one', () => {
    expect(of(server('none', ['/run', '/tmp']), held)).toContain('tmpfs')
    expect(of(server('ignored', ['/run', '/tmp', output]), held)).toBeNull()
    const input = exceptMount('input', ['disk-plain'])
    const inputOf = (state: object) => ({...state, 'CC-HARDENED mounts': {input: 'disk-plain'}})
    expect(input(inputOf(server('', ['/run', '/tmp'])), inputOf(held))).toContain('tmpfs')
  })

  it('keeps all of them where its cc-out is mounted elsewhere', () => {
    const other = [{name: 'cc-out', mount: '/srv'}]
    expect(
      of(server('disk-plain', ['/run', '/tmp'], other), server('locked', ['/run', '/tmp', output], other)),
    ).toContain('tmpfs')
  })
})
