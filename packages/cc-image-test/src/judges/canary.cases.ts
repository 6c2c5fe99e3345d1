import type {CasesOf} from '../fixtures/cases.js'

const expected = {
  secret: 'CC-CANARY-1',
  control: {text: 'control', file: 'control.raw'},
  files: ['disk.qcow2', 'control.raw', 'console.log'],
}
const control = {file: 'control.raw', text: 'control'}
const good = {
  written: ['/tmp', '/vault', '/run'],
  searched: ['disk.qcow2', 'control.raw', 'console.log'],
  found: [control],
  console: ['up'],
}

export const cases: CasesOf<typeof import('./canary.js')> = {
  judgeCanary: {
    good: [[good, expected]],
    bad: {
      'the disk has it': [
        {...good, found: [control, {file: 'disk.qcow2', text: 'the secret in base64'}]},
        expected,
        /disk\.qcow2 has the secret in base64/,
      ],
      'the console shows it': [{...good, console: ['x CC-CANARY-1 y']}, expected, /the console shows it/],
    },
    missing: {
      'the machine wrote it nowhere': [{...good, written: []}, expected],
      'the control text': [{...good, found: []}, expected],
      'the control text is in another file': [{...good, found: [{...control, file: 'console.log'}]}, expected],
      'the disk was not searched': [{...good, searched: ['control.raw', 'console.log']}, expected],
      'the console is empty': [{...good, console: []}, expected],
    },
  },
}
