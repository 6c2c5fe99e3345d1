import {ended, runs} from '../fixtures/boots.js'
import type {CasesOf} from '../fixtures/cases.js'
import {exceptMount, mountOf, stateOf, type GuestState} from './guest-state.js'

const line = (change = {}) => `CC-BOOT ${JSON.stringify({version: 1, seconds: 3, swap: false, ...change})}`
const hardened = (change = {}) => `CC-HARDENED ${JSON.stringify({version: 1, modulesLocked: true, ...change})}`
const baseline = stateOf([line(), hardened()])
const because = 'it is so'
const powerless = {because, powerless: true, hardened: true} as const
const detected = {because, detected: /verity/, hardened: true}
const up = (...lines: string[]) => ({boot: runs(lines), baseline, channels: {}})
const off = (...lines: string[]) => ({boot: ended(lines), baseline: undefined, channels: {}})

const mounts = (log: string) => hardened({mounts: {input: 'none', log}})
const withDisk = {because, powerless: exceptMount('log', ['none', 'disk-raw']), hardened: true}
const without = stateOf([line(), mounts('none')])

const alone = {...powerless, untouched: ['stick']}
const used = (read: number, written: number) => ({...up(line(), hardened()), disks: [{id: 'stick', read, written}]})
const untilMounted = {
  ...{...withDisk, powerless: exceptMount('log', ['none', 'disk-plain'])},
  untouched: (state: GuestState) => (mountOf('log', state) === 'disk-plain' ? [] : ['log']),
}
const mounted = (log: string, disks: {id: string; read: number; written: number}[]) => ({
  ...{boot: runs([line(), mounts(log)]), baseline: without, channels: {}},
  disks,
})

export const cases: CasesOf<typeof import('./boot.js')> = {
  judgeTampered: {
    good: [
      [off('[  1.2] device-mapper: verity: corrupted'), detected],
      [{...off('verity'), boot: ended(['verity'], {exit: 'panicked'})}, detected],
      [
        {
          // A panic tells where it happened.
          ...off(),
          boot: ended(
            ['Kernel panic - not syncing: dm-verity device corrupted', ...Array.from({length: 40}, () => ' ? trace')],
            {exit: 'panicked'},
          ),
        },
        detected,
      ],
      [
        {
          // Units go on to end after the one that gave the reason.
          ...off('cc: FAILED: cc-app: cannot be opened; powering off', ...Array.from({length: 40}, () => 'Stopped x')),
        },
        {because, detected: /cc: FAILED: cc-app: /},
      ],
      [up(line({seconds: 7}), hardened()), powerless],
      [{boot: runs([line(), mounts('disk-raw')]), baseline: without, channels: {}}, withDisk],
      [
        {...up(line(), hardened()), channels: {hvc0: '', agent: 'noise'}},
        {...powerless, channels: ['hvc0', 'agent']},
      ],
      [used(65_536, 0), alone],
      [mounted('none', [{id: 'log', read: 40_960, written: 0}]), untilMounted],
      [{...mounted('disk-plain', []), disks: undefined}, untilMounted],
    ],
    bad: {
      'a disk that is used in a way that is not allowed': [
        {boot: runs([line(), mounts('disk-plain')]), baseline: without, channels: {}},
        withDisk,
        /log is "disk-plain"/,
      ],
      'a disk that changes something else': [
        {boot: runs([line({swap: true}), mounts('disk-raw')]), baseline: without, channels: {}},
        withDisk,
        /CC-BOOT swap is true/,
      ],
      'a disk that it looks into': [
        used(288_289, 0),
        alone,
        /^it read 288289 bytes of stick, more than a partition table$/,
      ],
      'a disk that it mounts': [used(40_960, 1024), alone, /^it wrote 1024 bytes to stick$/],
      'a disk that it looks into, although it says that it did not mount it': [
        mounted('none', [{id: 'log', read: 288_289, written: 0}]),
        untilMounted,
        /^it read 288289 bytes of log/,
      ],
      'up, although it must not be': [up(line(), hardened()), detected, /as if nothing had been done/],
      'up in another state': [up(line({swap: true}), hardened()), powerless, /CC-BOOT swap is true, not false/],
      'up without its lock': [up(line(), hardened({modulesLocked: false})), powerless, /modulesLocked is false/],
      'the word of a device long before the end': [
        off('verity: corrupted', ...Array.from({length: 20}, () => 'booting'), 'reboot: Power down'),
        detected,
        /for another reason/,
      ],
      'off for another reason': [off('cc: FAILED: other'), detected, /for another reason/],
      'off, although it is to be powerless': [off('cc: FAILED: x'), powerless, /it is not powerless/],
      hanging: [{...off('verity'), boot: ended(['verity'], {exit: 'timed-out'})}, detected, /timed-out/],
      'off, with a shell before': [off('(initramfs) ', 'verity'), detected, /a shell or a login is offered/],
      'up, with a program of the host': [up('CC-OWNED', line(), hardened()), powerless, /a program of the host/],
      'a login at another console': [
        {...up(line(), hardened()), channels: {ttyS1: 'Debian\r\ncc login: '}},
        {...powerless, channels: ['ttyS1']},
        /ttyS1 offers 'cc login:'/,
      ],
    },
    missing: {
      'what it did to its disks': [up(line(), hardened()), alone],
      'what it did to this disk': [{...used(0, 0), disks: [{id: 'disk0', read: 0, written: 0}]}, alone],
      'what is said of a disk': [{boot: runs([line(), hardened()]), baseline: without, channels: {}}, withDisk],
      'the untouched machine': [{...up(line(), hardened()), baseline: undefined}, powerless],
      'two machines that both say nothing': [{boot: runs(['']), baseline: {}, channels: {}}, powerless],
      'a report that is cut, as that of the untouched machine is': [
        {
          boot: runs(['CC-BOOT {"version":1', hardened()]),
          baseline: stateOf(['CC-BOOT {"version":1', hardened()]),
          channels: {},
        },
        powerless,
      ],
      'what the lock-down says': [{boot: runs([line()]), baseline: stateOf([line()]), channels: {}}, powerless],
      'a console that has to have been there': [up(line(), hardened()), {...powerless, channels: ['hvc0']}],
      'an empty console': [off(), detected],
    },
  },
}
