import type {CasesOf} from '../fixtures/cases.js'
import {ended, runs} from '../fixtures/boots.js'
import {stateOf} from './guest-state.js'
import type {LiveBoot, LiveExpectation} from './live.js'

const lines = ['CC-BOOT {"version":1,"swap":false}', 'CC-HARDENED {"version":1}']
const other = ['CC-BOOT {"version":1,"swap":true}', 'CC-HARDENED {"version":1}']
const expected: LiveExpectation = {
  ...{because: 'nothing looks', disks: ['hot'], hardened: true},
  outbound: {rules: [], resolvers: [], dhcp: '10.77.0.2'},
}
const seen: LiveBoot = {
  ...{boot: runs(lines), baseline: stateOf(lines), channels: {}, done: [{what: 'device_add', error: null}]},
  packets: [{protocol: 'udp', address: '255.255.255.255', port: 67}],
  afterwards: {status: 'running', hears: true, disks: [{id: 'hot', read: 4096, written: 0}]},
}
const after = (change: Partial<NonNullable<LiveBoot['afterwards']>>): LiveBoot => ({
  ...seen,
  afterwards: {status: 'running', hears: true, disks: [{id: 'hot', read: 4096, written: 0}], ...change},
})
const off = {...seen, boot: ended([...lines, 'device-mapper: verity: corrupted'], {matched: lines[1] ?? ''})}
const ending = {...expected, mayEnd: /verity.*corrupted/}

export const cases: CasesOf<typeof import('./live.js')> = {
  judgeLive: {
    good: [
      [seen, expected],
      [{...off, afterwards: undefined}, ending],
    ],
    bad: {
      'a shell after the attack': [{...seen, boot: runs([...lines, '(initramfs) '])}, expected, /a shell or a login/],
      'a login at another console': [{...seen, channels: {hvc0: 'cc login: '}}, expected, /hvc0 offers/],
      'a program of the host': [{...seen, boot: runs([...lines, 'CC-OWNED'])}, expected, /program of the host/],
      'it never came up': [{...seen, boot: ended(['x'])}, expected, /not up before/],
      'QEMU refused': [
        {...seen, done: [{what: 'device_add', error: 'Bus does not support hotplugging'}]},
        expected,
        /not made: device_add: Bus/,
      ],
      'nothing was done': [{...seen, done: []}, expected, /nothing was done/],
      'it ended for no known reason': [{...seen, boot: {...off.boot, lines}}, ending, /powered-off/],
      'it ended, and gave the reason before it was attacked': [
        {...seen, boot: ended(['verity: corrupted', ...lines], {matched: lines[1] ?? ''})},
        ending,
        /powered-off/,
      ],
      'it ended, which it may not': [off, expected, /powered-off/],
      'it came up in another state': [{...seen, boot: runs(other)}, expected, /swap is true/],
      'it hangs': [after({hears: false}), expected, /does not answer/],
      'it stands still': [after({status: 'io-error'}), expected, /'io-error'/],
      'it mounted the disk': [after({disks: [{id: 'hot', read: 9, written: 1024}]}), expected, /wrote 1024 bytes/],
      'it read the whole disk': [after({disks: [{id: 'hot', read: 2 ** 24, written: 0}]}), expected, /read 16777216/],
      'it looked for a file system on the disk': [
        after({disks: [{id: 'hot', read: 288_289, written: 0}]}),
        expected,
        /^it read 288289 bytes of hot, more than a partition table$/,
      ],
      'it asks somebody by the new card': [
        {...seen, packets: [{protocol: 'tcp', address: '1.2.3.4', port: 80}]},
        expected,
        /tcp 1\.2\.3\.4:80/,
      ],
    },
    missing: {
      'of the disk': [after({disks: []}), expected],
      'of what it says of itself': [{...seen, boot: runs(['up'])}, expected],
      nothing: [{}, expected],
    },
  },
}
