import type {CasesOf} from '../fixtures/cases.js'

const expected = {headers: ['cc-root.luks'], partitions: ['cc-root', 'cc-ro']}
const headers = {found: {'cc-root.luks': []}, onDisk: {'cc-root': false, 'cc-ro': false}}
const random = {length: 1000, luks: false, filesystem: null, known: [], bits: 7.997, offset: 0, randomBits: 7.99}
const bytes = {bytes: 1000}
const verity = {rootHash: 'a'.repeat(64), salt: 'b', blocks: 10}

export const cases: CasesOf<typeof import('./protection.js')> = {
  judgeHeaders: {
    good: [[headers, expected]],
    bad: {
      'a header of a stranger': [
        {...headers, found: {'cc-root.luks': [], 'x.luks': []}},
        expected,
        /x\.luks belongs to no partition/,
      ],
      'a null cipher': [
        {...headers, found: {'cc-root.luks': ['segment: the encryption is "cipher_null-ecb"']}},
        expected,
        /cipher_null/,
      ],
      'a header on the disk': [
        {...headers, onDisk: {'cc-root': true, 'cc-ro': false}},
        expected,
        /cc-root begins with a LUKS header/,
      ],
    },
    missing: {
      'nothing at all': [
        {found: {}, onDisk: {}},
        {headers: [], partitions: []},
      ],
      'no header': [{...headers, found: {}}, expected],
      'a partition that was not read': [{...headers, onDisk: {'cc-root': false}}, expected],
    },
  },
  judgeCiphertext: {
    good: [[random, bytes]],
    bad: {
      'a LUKS header': [{...random, luks: true}, bytes, /begins with a LUKS header/],
      'a file system': [{...random, filesystem: 'squashfs'}, bytes, /begins with the file system squashfs/],
      'a known text': [{...random, known: ['/bin/bash']}, bytes, /it holds '\/bin\/bash' in plain/],
      zeros: [{...random, bits: 0}, bytes, /0\.0000 bits per byte at 0: not random/],
    },
    missing: {
      'half of it': [{...random, length: 500}, bytes],
      nothing: [{...random, length: 0}, {bytes: 0}],
      'an entropy that is not a number': [{...random, bits: NaN}, bytes],
    },
  },
  judgeVerity: {
    good: [[{exitCode: 0, said: ''}, {verity}]],
    bad: {'another content': [{exitCode: 1, said: 'Verification failed'}, {verity}, /does not have the root hash/]},
    missing: {
      'the root hash': [{exitCode: 0, said: ''}, {verity: {...verity, rootHash: ''}}],
      'all blocks': [{exitCode: 0, said: ''}, {verity: {...verity, blocks: 0}}],
    },
  },
}
