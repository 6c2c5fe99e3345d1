import type {Manifest} from 'cc-core/manifest'

import type {CasesOf} from '../fixtures/cases.js'

const expected = {files: {vmlinuz: 'a', 'initrd.img': 'b'}, headers: {'cc-root.luks': 'c'}}
const found = {files: {...expected.files, 'manifest.json': 'x'}, headers: expected.headers}
const esp = {name: 'cc-esp', content: {sha256: 'a', bytes: 1}}
const manifest = {name: 'image', disk: {bytes: 1}, partitions: [esp]} as unknown as Manifest

export const cases: CasesOf<typeof import('./esp.js')> = {
  judgeNoEsp: {
    good: [[{partitions: [{name: 'cc-root'}]}, {wanted: false}]],
    bad: {
      'none, where one is wanted': [{partitions: [{name: 'cc-root'}]}, {wanted: true}, /layout\.esp asks for one/],
      'there is one': [{partitions: [esp]}, {wanted: false}, /there is one/],
    },
    missing: {'no partition': [{partitions: []}, {wanted: false}]},
  },
  judgeEspFiles: {
    good: [[found, expected]],
    bad: {
      'another kernel': [{...found, files: {...found.files, vmlinuz: 'x'}}, expected, /vmlinuz is another/],
      'another header': [{...found, headers: {'cc-root.luks': 'x'}}, expected, /not the one of the initrd/],
      'a stranger': [{...found, files: {...found.files, x: 'x'}}, expected, /x is not known/],
      'a header of a stranger': [{...found, headers: {...found.headers, x: 'x'}}, expected, /x is not known/],
    },
    missing: {
      'no file': [{...found, files: {}}, expected],
      'no header': [{...found, headers: {}}, expected],
      'nothing is described': [
        {files: {}, headers: {}},
        {files: {}, headers: {}},
      ],
    },
  },
  judgeEspManifest: {
    good: [[{copy: {...manifest, disk: {bytes: 2}}}, {manifest}]],
    bad: {'another name': [{copy: {...manifest, name: 'x'}}, {manifest}, /'name' differs/]},
    missing: {'an empty one': [{copy: {partitions: []}}, {manifest}]},
  },
}
