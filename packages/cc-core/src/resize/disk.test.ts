import {describe, expect, it} from 'vitest'

import {readDiskSize} from './disk.js'

const info = (more: object = {}, data: object = {}) =>
  JSON.stringify({
    ...{'virtual-size': 8, 'actual-size': 4, filename: '/x.qcow2', format: 'qcow2'},
    'format-specific': {type: 'qcow2', data: {compat: '1.1', corrupt: false, ...data}},
    ...more,
  })

describe('readDiskSize', () => {
  it('tells both sizes', () => {
    expect(readDiskSize('/x.qcow2', info())).toEqual({virtual: 8, actual: 4})
  })

  it.each([
    [info({encrypted: true}), '/x.qcow2 is an encrypted qcow2'],
    [info({'backing-filename': 'base.qcow2'}), "/x.qcow2 is a layer over 'base.qcow2'"],
    [info({snapshots: [{id: '1'}]}), '/x.qcow2 has 1 internal snapshot'],
    [info({}, {corrupt: true}), '/x.qcow2 is marked as damaged'],
    [info({}, {'data-file': '/data.raw'}), "/x.qcow2 has its data in another file, '/data.raw'"],
  ])('refuses %s', (json, message) => {
    expect(() => readDiskSize('/x.qcow2', json)).toThrow(message)
  })
})
