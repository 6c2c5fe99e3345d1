import {ended, runs} from '../fixtures/boots.js'
import type {CasesOf} from '../fixtures/cases.js'

const tcg = {accelerator: 'TCG'}
const booted = {boot: runs(['CC-BOOT {}']), report: {seconds: 30}, problem: null}
const vault = {name: 'cc-app', encryption: 'luks2', integrity: 'none', mount: '/vault'} as const
const app = {name: 'cc-app', state: 'encrypted', mount: '/vault', integrity: 'none', bytes: 100} as const
const expected = {partition: vault, plainAllowed: false}
const demand = {partition: {...vault, encryption: 'on-demand'}, plainAllowed: false} as const
const root = {...app, name: 'cc-root', mount: '/', bytes: 950}
const refused = 'cc: FAILED: cc-root: the key does not open it; powering off'
const banner = 'cc: INSECURE DEVELOPMENT IMAGE: x'

export const cases: CasesOf<typeof import('./boot-report.js')> = {
  judgeBootUp: {
    good: [[booted, tcg]],
    bad: {
      'a boot that ends': [{...booted, boot: ended(['cc: FAILED: x'])}, tcg, /powered-off after .*cc: FAILED: x/],
      'a report that is malformed': [{...booted, problem: 'it is not JSON'}, tcg, /it is not JSON/],
    },
    missing: {
      'an empty console': [{...booted, boot: ended([])}, tcg],
      'a report without its time': [{...booted, report: {}}, tcg],
    },
  },
  judgeConfigured: {
    good: [[{found: 'cc'}, {configured: 'cc'}]],
    bad: {'another text': [{found: 'x'}, {configured: 'cc'}, /it is 'x', configured is 'cc'/]},
    missing: {'an empty text': [{found: ''}, {configured: 'cc'}]},
  },
  judgeKernel: {
    good: [[{kernel: '6.1'}, {packages: [{name: 'linux-image-6.1', version: '1'}]}]],
    bad: {'another kernel': [{kernel: '6.2'}, {packages: [{name: 'linux-image-6.1', version: '1'}]}, /kernel 6\.2/]},
    missing: {'no package': [{kernel: '6.1'}, {packages: []}]},
  },
  judgePartition: {
    good: [
      [{partitions: [app]}, expected],
      [{partitions: [{...app, state: 'locked', bytes: 0}]}, demand],
      [{partitions: [{...app, state: 'plain'}]}, {...demand, plainAllowed: true}],
    ],
    bad: {
      'plain, not encrypted': [{partitions: [{...app, state: 'plain'}]}, expected, /it is plain, not encrypted/],
      'plain, not locked': [{partitions: [{...app, state: 'plain'}]}, demand, /it is plain, not encrypted or locked/],
      'another place': [{partitions: [{...app, mount: '/x'}]}, expected, /mounted at \/x, not at \/vault/],
      'another integrity': [{partitions: [{...app, integrity: 'hmac'}]}, expected, /integrity is hmac/],
      'nothing there': [{partitions: [{...app, bytes: 0}]}, expected, /nothing is mounted/],
      'reported twice': [{partitions: [app, app]}, expected, /2 times/],
    },
    missing: {'the partition': [{partitions: []}, expected]},
  },
  judgeGrowth: {
    good: [[{partitions: [root]}, {name: 'cc-root', size: 1000}]],
    bad: {'half of it': [{partitions: [{...root, bytes: 500}]}, {name: 'cc-root', size: 1000}, /50\.0 %/]},
    missing: {
      'the partition': [{partitions: []}, {name: 'cc-root', size: 1000}],
      'its size': [{partitions: [root]}, {name: 'cc-root', size: 0}],
    },
  },
  judgeFixedRoot: {
    good: [[{partitions: [{...root, integrity: 'verity'}]}]],
    bad: {'a root without dm-verity': [{partitions: [root]}, /integrity is 'none'/]},
    missing: {'the partition': [{partitions: []}]},
  },
  judgeSwapOff: {good: [[{swap: false}]], bad: {'swap is on': [{swap: true}, /swap is on/]}, missing: {nothing: [{}]}},
  judgeTmpfs: {
    good: [[{tmpfs: ['/tmp', '/run']}, {paths: ['/tmp']}]],
    bad: {'one that is on a disk': [{tmpfs: ['/run']}, {paths: ['/tmp']}, /\/tmp is not a tmpfs/]},
    missing: {'an empty list': [{tmpfs: []}, {paths: ['/tmp']}]},
  },
  judgeUnits: {
    good: [[{state: 'running', failedUnits: []}]],
    bad: {
      'one that failed': [{state: 'degraded', failedUnits: ['x.service']}, /x\.service failed/],
      'a boot that does not end': [{state: 'starting', failedUnits: []}, /'starting'/],
    },
    missing: {nothing: [{}]},
  },
  judgeBanner: {
    good: [
      [{lines: [banner]}, {profile: 'development'}],
      [{lines: ['up']}, {profile: 'production'}],
    ],
    bad: {
      'a development image that does not say so': [{lines: ['up']}, {profile: 'development'}, /there is no INSECURE/],
      'a production image with a banner': [{lines: [banner]}, {profile: 'production'}, /a production image says/],
    },
    missing: {'an empty console': [{lines: []}, {profile: 'production'}]},
  },
  judgeNoShell: {
    good: [[{lines: ['up']}]],
    bad: {'a shell': [{lines: ['(initramfs) ']}, /\(initramfs\)/]},
    missing: {'an empty console': [{lines: []}]},
  },
  judgeRefusal: {
    good: [[{boot: ended([refused])}]],
    bad: {
      'two lines': [{boot: ended([refused, 'cc: FAILED: twice'])}, /'cc: FAILED: twice'/],
      'a boot that goes on': [{boot: runs(['CC-BOOT {}'])}, /running after/],
    },
    missing: {'an empty console': [{boot: ended([])}]},
  },
  judgePowerOff: {
    good: [[{boot: ended([refused])}]],
    bad: {
      'a machine that hangs': [{boot: ended(['x'], {exit: 'timed-out'})}, /timed-out/],
      'a panic': [{boot: ended(['x'], {exit: 'panicked'})}, /panicked/],
    },
    missing: {nothing: [{}]},
  },
}
