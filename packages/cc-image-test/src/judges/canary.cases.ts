import type {CasesOf} from '../fixtures/cases.js'

const expected = {
  secret: 'CC-CANARY-1',
  places: ['/vault'],
  control: {text: 'control', file: 'control.raw'},
  files: ['disk.qcow2', 'control.raw', 'console.log'],
  given: [],
}
/** A server without a key for its output disk. */
const server = {...expected, given: [{file: 'nvflare-output.raw', place: '/output'}]}
const writtenOut = {written: ['/tmp', '/vault', '/run', '/output']}
const plainOutput = {file: 'nvflare-output.raw', text: 'the secret as bytes'}
const control = {file: 'control.raw', text: 'control'}
const good = {
  written: ['/tmp', '/vault', '/run'],
  logged: ['journal', 'kernel'],
  searched: ['disk.qcow2', 'control.raw', 'console.log'],
  found: [control],
  console: ['up'],
}

export const cases: CasesOf<typeof import('./canary.js')> = {
  judgeCanary: {
    good: [
      [good, expected],
      [{...good, ...writtenOut, found: [control, plainOutput]}, server],
    ],
    bad: {
      'an output disk has it that the host is not given': [
        {...good, found: [control, plainOutput]},
        expected,
        /nvflare-output\.raw has the secret as bytes/,
      ],
      'the disk that the host is given has it, and the machine did not write it there': [
        {...good, found: [control, plainOutput]},
        server,
        /^nvflare-output\.raw has the secret as bytes$/,
      ],
      'another disk has it than the one that the host is given': [
        {...good, ...writtenOut, found: [control, plainOutput, {file: 'disk.qcow2', text: 'the secret as bytes'}]},
        server,
        /^disk\.qcow2 has the secret as bytes$/,
      ],
      'the disk has it': [
        {...good, found: [control, {file: 'disk.qcow2', text: 'the secret in base64'}]},
        expected,
        /disk\.qcow2 has the secret in base64/,
      ],
      'it is in memory alone': [
        {...good, written: ['/tmp', '/var/tmp', '/dev/shm']},
        expected,
        /^the machine did not write it to \/vault, but to \/tmp/,
      ],
      'no journal has it': [{...good, logged: ['kernel']}, expected, /to the log of journal$/],
      'the kernel does not have it': [{...good, logged: ['journal']}, expected, /to the log of kernel$/],
      'the console shows it': [{...good, console: ['x CC-CANARY-1 y']}, expected, /the console shows it/],
    },
    missing: {
      'the machine wrote it nowhere': [{...good, written: []}, expected],
      'no place is known': [good, {...expected, places: []}],
      'the control text': [{...good, found: []}, expected],
      'the control text is in another file': [{...good, found: [{...control, file: 'console.log'}]}, expected],
      'the disk was not searched': [{...good, searched: ['control.raw', 'console.log']}, expected],
      'the console is empty': [{...good, console: []}, expected],
    },
  },
}
