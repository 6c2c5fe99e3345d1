import {ended, runs} from '../fixtures/boots.js'
import type {CasesOf} from '../fixtures/cases.js'

const digest = (letter: string) => ({vcpus: 1, cpuType: 'EPYC-v4', digest: letter.repeat(96)})
const good = {
  different: ['the initrd'],
  ...{own: [digest('a')], found: [digest('b')], firmware: 'a small firmware'},
  boot: runs(['CC-OWNED']),
}

export const cases: CasesOf<typeof import('./measured.js')> = {
  judgeMeasured: {
    good: [[good], [{...good, boot: ended(['cc: FAILED: x'])}]],
    bad: {
      'the digest of the image': [{...good, found: [digest('a')]}, /the launch digest is that of the image/],
      'the digest of the image for one of two': [
        {...good, own: [digest('a'), {...digest('c'), vcpus: 2}], found: [digest('b'), {...digest('c'), vcpus: 2}]},
        /that of the image for 2 processors/,
      ],
      'nothing different': [{...good, different: []}, /nothing that is measured is different/],
    },
    missing: {
      'no digest': [{...good, found: []}],
      'no digest of the image': [{...good, own: []}],
      'a digest that is cut': [{...good, found: [{...digest('b'), digest: 'bb'}]}],
      'a digest for another processor': [{...good, found: [{...digest('b'), cpuType: 'EPYC'}]}],
      'an empty console': [{...good, boot: ended([])}],
    },
  },
}
