import type {CasesOf} from '../fixtures/cases.js'

const packages = [{name: 'nvflare', version: '2.7.2', sha256: 'a'.repeat(64)}]
const job = {status: 0, models: 1, rounds: 2}

export const cases: CasesOf<typeof import('./flare.js')> = {
  judgeLock: {
    good: [[{packages}]],
    bad: {'one without a hash': [{packages: [...packages, {name: 'six', version: '1', sha256: null}]}, /hash: six/]},
    missing: {
      'an empty list': [{packages: []}],
      'a hash that is cut': [{packages: [{name: 'six', version: '1', sha256: 'aa'}]}],
    },
  },
  judgeFlareVersion: {
    good: [[{version: '2.7.2', packages}]],
    bad: {'another version': [{version: '2.6', packages}, /it says '2\.6', the list has 2\.7\.2/]},
    missing: {
      'not in the list': [{version: '2.7.2', packages: []}],
      'an empty version': [{version: '', packages}],
    },
  },
  judgeJob: {
    good: [[job]],
    bad: {
      'a job that failed': [{...job, status: 1}, /exit status 1/],
      'no model': [{...job, models: 0}, /0 models/],
      'no round': [{...job, rounds: 0}, /0 rounds/],
    },
    missing: {nothing: [{}]},
  },
  judgeState: {
    good: [[{found: 'root:root 755'}, {wanted: 'root:root 755'}]],
    bad: {'another owner': [{found: 'x:x 755'}, {wanted: 'root:root 755'}, /it is 'x:x 755'/]},
    missing: {'an empty answer': [{found: ''}, {wanted: 'disabled'}]},
  },
}
