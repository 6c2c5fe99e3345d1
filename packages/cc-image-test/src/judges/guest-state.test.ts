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
