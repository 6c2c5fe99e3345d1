import type {LaunchFacts, Measurement} from 'cc-core/manifest'

import type {CasesOf} from '../fixtures/cases.js'

const from = {firmware: 'f', kernel: 'k', initrd: 'i', cmdline: 'c'}
const entry = {vcpus: 1, cpuType: 'EPYC-v4', guestFeatures: '0x1', digest: 'd'}
const measurement = {platform: 'sev-snp', algorithm: 'sha384', from, entries: [entry]} as Measurement
const launch = {vcpus: [1], cpuTypes: ['EPYC-v4'], firmwareSha256: 'f'} as unknown as LaunchFacts
const files = {kernel: 'k', initrd: 'i', cmdline: 'c', measurement, launch}
const production = {profile: 'production'}
const names = ['launch_cc_image.sh']
const script = {name: 'launch_cc_image.sh', kind: 'file', executable: true, syntax: ''} as const
const lacks = {exitCode: 3, stdout: 'missing kvm: x\n', stderr: ''}

export const cases: CasesOf<typeof import('./launch.js')> = {
  judgeMeasurement: {
    good: [[files, production]],
    bad: {
      'another kernel': [{...files, kernel: 'x'}, production, /another kernel/],
      'another initrd': [{...files, initrd: 'x'}, production, /another initrd/],
      'another command line': [{...files, cmdline: 'x'}, production, /another command line/],
      'another firmware': [
        {...files, launch: {...launch, firmwareSha256: 'x'}},
        production,
        /another firmware than the launch section/,
      ],
      'two digests that are the same': [
        {
          ...files,
          launch: {...launch, vcpus: [1, 2]},
          measurement: {...measurement, entries: [entry, {...entry, vcpus: 2}]},
        },
        production,
        /two of its digests are the same/,
      ],
    },
    missing: {
      'no measurement': [{...files, measurement: null}, production],
      'no launch section': [{...files, launch: null}, {profile: 'development'}],
      'no digest': [{...files, measurement: {...measurement, entries: []}}, production],
      'no processor': [{...files, launch: {...launch, vcpus: []}}, production],
    },
  },
  judgeMeasuredAgain: {
    good: [[{found: measurement}, {measurement}]],
    bad: {
      'another digest': [
        {found: {...measurement, entries: [{...entry, digest: 'x'}]}},
        {measurement},
        /1 processors of type EPYC-v4: x, not d/,
      ],
      'another firmware': [
        {found: {...measurement, from: {...from, firmware: 'x'}}},
        {measurement},
        /firmware is another/,
      ],
    },
    missing: {
      'no digest': [{found: {...measurement, entries: []}}, {measurement}],
      'no digest in the manifest': [{found: measurement}, {measurement: {...measurement, entries: []}}],
    },
  },
  judgeHostScripts: {
    good: [[{scripts: [script]}, {names}]],
    bad: {
      'a script that cannot be run': [{scripts: [{...script, executable: false}]}, {names}, /is not executable/],
      'a link': [{scripts: [{...script, kind: 'other'}]}, {names}, /is not a file/],
      'an error in it': [{scripts: [{...script, syntax: 'line 3'}]}, {names}, /is not a script: line 3/],
    },
    missing: {
      'no script': [{scripts: []}, {names}],
      'a script that is not there': [{scripts: [{...script, kind: 'missing'}]}, {names}],
    },
  },
  judgeInstallCheck: {
    good: [[lacks], [{exitCode: 0, stdout: 'whole vmlinuz\n', stderr: ''}]],
    bad: {
      'an altered file': [{...lacks, stdout: `${lacks.stdout}altered vmlinuz\n`}, /altered vmlinuz/],
      'an altered file, and success': [{exitCode: 0, stdout: 'altered vmlinuz\n', stderr: ''}, /altered vmlinuz/],
      'another end': [{exitCode: 1, stdout: '', stderr: 'error[E_IMAGE]: x'}, /E_IMAGE/],
    },
    missing: {
      'it printed nothing': [{exitCode: 0, stdout: '', stderr: ''}],
      'it printed nothing, and ended with an error': [{exitCode: 2, stdout: '', stderr: ''}],
      'it does not say what the host lacks': [{exitCode: 3, stdout: 'x\n', stderr: ''}],
    },
  },
}
