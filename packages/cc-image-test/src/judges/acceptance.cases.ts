import type {CasesOf} from '../fixtures/cases.js'
import type {Launch} from './acceptance.js'

const up: Launch = {exit: 'running', lines: ['cc: hardened', 'cc: ready'], said: '', ms: 41_000}
const denied: Launch = {
  exit: 'powered-off',
  lines: ['booting', "cc: FAILED: cc-root: no key from 'kbs': after 3 attempts: denied by its policy; powering off"],
  said: '',
  ms: 20_000,
}
const measured = {reason: /denied by its policy/, notStarted: true}
const left = {still: 'the keys are still withdrawn', command: 'trustee/upload.sh'}
const refusedByFirmware = 'sev_snp_launch_finish: SNP_LAUNCH_FINISH ret=-5 fw_error=11'

/** Failures of QEMU that have nothing to do with what was changed. */
const otherFailures = Object.fromEntries(
  [
    "could not load PC BIOS '/image/firmware/OVMF.amdsev.fd'",
    'sev_common_kvm_init: Failed to open /dev/sev Permission denied',
    "-object sev-snp-guest,id=snp: Parameter 'host-data' is invalid",
    'Failed to get "write" lock: several locks are taken',
    'sev_snp_launch_start: failed to initialize kvm: Operation not permitted',
  ].map((said) => [
    `QEMU says: ${said}`,
    [{exit: 'not-started', lines: [], said, ms: 1}, measured, /nothing follows from that/] as const,
  ]),
)

export const cases: CasesOf<typeof import('./acceptance.js')> = {
  judgeReleased: {
    good: [[up], [{...up, lines: ['CC-READY {"version":1}']}]],
    bad: {
      'no key': [denied, /did not start: powered-off: .*denied by its policy/],
      'a machine that is up, but without FLARE': [{...up, exit: 'timed-out', lines: ['cc: hardened']}, /timed-out/],
      'a QEMU that does not start': [{...up, exit: 'not-started', lines: [], said: 'no KVM'}, /not-started: no KVM/],
      'a word about being ready, of somebody else': [{...up, lines: ['it says cc: ready soon']}, /did not start/],
    },
    missing: {nothing: [{}], 'no console': [{...up, lines: undefined}]},
  },
  judgeRefused: {
    good: [
      [denied, measured],
      [{exit: 'not-started', lines: [], said: refusedByFirmware, ms: 1}, measured],
      [
        {...denied, exit: 'panicked', lines: ['Kernel panic - not syncing: dm-verity device corrupted']},
        {reason: /dm-verity/, notStarted: false},
      ],
    ],
    bad: {
      'it comes up': [up, measured, /it got its keys/],
      'it comes up, and then ends for the right reason': [
        {...denied, lines: [...up.lines, ...denied.lines]},
        measured,
        /it got its keys/,
      ],
      'another reason': [
        {...denied, lines: ['cc: FAILED: the network: there is no interface; powering off']},
        measured,
        /another reason/,
      ],
      'no reason': [{...denied, lines: ['booting']}, measured, /it gave no reason: powered-off: booting/],
      'it says why, and goes on': [{...denied, exit: 'timed-out'}, measured, /it gave no reason/],
      'a QEMU that fails for another reason': [
        {exit: 'not-started', lines: [], said: 'Could not access KVM kernel module', ms: 1},
        measured,
        /nothing follows from that/,
      ],
      'a refusal of the processor where it has nothing to refuse': [
        {exit: 'not-started', lines: [], said: refusedByFirmware, ms: 1},
        {...measured, notStarted: false},
        /nothing follows from that/,
      ],
      ...otherFailures,
    },
    missing: {nothing: [{}, measured], 'no console': [{...denied, lines: undefined}, measured]},
  },
  judgeUnchanged: {
    good: [[up]],
    bad: {'no key': [denied, /^nothing follows from a refusal, since .*denied by its policy/]},
    missing: {nothing: [{}]},
  },
  judgePutBack: {
    good: [[{problem: null}, left]],
    bad: {
      'keys that are still withdrawn': [
        {problem: 'upload.sh ended with status 1'},
        left,
        /^the keys are still withdrawn \(upload\.sh ended with status 1\): run trustee\/upload\.sh$/,
      ],
    },
    missing: {'no reason': [{problem: ''}, left]},
  },
  judgeTyped: {
    good: [[{...up, typed: ['root\n']}]],
    bad: {
      'a login': [{...up, lines: [...up.lines, 'cc login: '], typed: ['root\n']}, /it answers: cc login:/],
      'a shell': [{...up, lines: [...up.lines, 'uid=0(root) gid=0(root)'], typed: ['id\n']}, /it answers: uid=0/],
      'it did not start': [{...denied, typed: ['root\n']}, /it did not start/],
      'nothing was typed': [{...up, typed: []}, /nothing was typed/],
    },
    missing: {nothing: [{}]},
  },
}
