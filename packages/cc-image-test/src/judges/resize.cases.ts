import type {CasesOf} from '../fixtures/cases.js'

const root = {name: 'cc-root', start: 10, size: 100, grow: true}
const vault = {name: 'cc-app', start: 0, size: 10, grow: false}
const before = {before: [vault, root]}

export const cases: CasesOf<typeof import('./resize.js')> = {
  judgeGrownDisk: {
    good: [
      [
        {virtualSize: 200, ms: 5},
        {before: 100, bytes: 200},
      ],
    ],
    bad: {'another size': [{virtualSize: 100, ms: 5}, {before: 100, bytes: 200}, /100 bytes, not 200/]},
    missing: {nothing: [{}, {before: 100, bytes: 200}]},
  },
  judgeGrownManifest: {
    good: [[{bytes: 200}, {wanted: 200}]],
    bad: {'the old size': [{bytes: 100}, {wanted: 200}, /100 bytes, not 200/]},
    missing: {nothing: [{}, {wanted: 200}]},
  },
  judgeUnmoved: {
    good: [[{partitions: [vault, {...root, size: 200}]}, before]],
    bad: {
      'another start': [{partitions: [vault, {...root, start: 11}]}, before, /cc-root has changed/],
      'another size': [{partitions: [{...vault, size: 11}, root]}, before, /cc-app has changed/],
      'a new one': [{partitions: [vault, root, {...vault, name: 'x'}]}, before, /x is new/],
    },
    missing: {
      'a partition': [{partitions: [root]}, before],
      'all partitions': [{partitions: []}, {before: []}],
    },
  },
}
