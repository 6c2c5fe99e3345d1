import type {CasesOf} from '../fixtures/cases.js'

const oldest = {oldest: '20.19', fix: 'install it'}
const programs = {programs: ['qemu-img'], install: 'apt-get install qemu-utils', newer: 'a newer release'}
const qemu = {places: {'qemu-img': '/usr/bin/qemu-img'}, old: [], version: ''}
const gibibyte = 1024 ** 3

export const cases: CasesOf<typeof import('./host.js')> = {
  judgeVersion: {
    good: [
      [{found: '20.19.1'}, oldest],
      [{found: '22.0'}, oldest],
    ],
    bad: {'an older one': [{found: '20.9.9'}, oldest, /it is 20\.9\.9/]},
    missing: {
      'an empty version': [{found: ''}, oldest],
      'a text': [{found: 'version'}, oldest],
    },
  },
  judgePrograms: {
    good: [[qemu, programs]],
    bad: {
      'one that is not there': [{...qemu, places: {'qemu-img': null}}, programs, /missing: qemu-img/],
      'one that is too old': [{...qemu, old: ["'qemu-img' is 4.0"]}, programs, /'qemu-img' is 4\.0/],
    },
    missing: {
      'one that was not looked for': [{...qemu, places: {}}, programs],
      'no program at all': [
        {...qemu, places: {}},
        {...programs, programs: []},
      ],
    },
  },
  judgeProblem: {
    good: [[{problem: null}, {detail: 'enough'}]],
    bad: {'a problem': [{problem: {message: 'no ids', fix: 'x'}}, {detail: 'enough'}, /no ids/]},
    missing: {'it was not looked at': [{}, {detail: 'enough'}]},
  },
  judgeRoundTrip: {
    good: [[{content: 'x\n'}, {written: 'x\n'}]],
    bad: {'another content': [{content: 'y\n'}, {written: 'x\n'}, /other content/]},
    missing: {
      'an empty file': [{content: ''}, {written: 'x\n'}],
      'nothing was written': [{content: ''}, {written: ''}],
    },
  },
  judgeSpace: {
    good: [[{free: 30 * gibibyte, place: '/x'}, {needed: 12 * gibibyte}]],
    bad: {'too little': [{free: 2 * gibibyte, place: '/x'}, {needed: 12 * gibibyte}, /2\.0 GiB free at \/x/]},
    missing: {'a number that is none': [{free: NaN, place: '/x'}, {needed: 12 * gibibyte}]},
  },
  judgeKvm: {
    good: [[{accelerator: 'kvm', reason: 'a short boot worked'}, {user: 'x'}]],
    bad: {'another accelerator': [{accelerator: 'hvf', reason: ''}, {user: 'x'}, /no accelerator 'hvf'/]},
    missing: {'it was not tried': [{}, {user: 'x'}]},
  },
  judgeSevSnp: {
    good: [[{parameter: 'Y', flags: ['sev_snp']}]],
    bad: {'a processor that says nothing': [{parameter: 'N', flags: []}, /does not say what it can/]},
    missing: {nothing: [{parameter: '', flags: []}]},
  },
}
