import {kernelCommandLine} from 'cc-core/cmdline'

import type {CasesOf} from '../fixtures/cases.js'

const cmdline = kernelCommandLine({console: 'ttyS0'})
const conf = 'version=1\nprofile=development\n'

export const cases: CasesOf<typeof import('./boot-files.js')> = {
  judgeCmdlineFile: {
    good: [[{text: 'a b\n'}, {cmdline: 'a b'}]],
    bad: {
      'another word': [{text: 'a c\n'}, {cmdline: 'a b'}, /cmdline is 'a c', the manifest says 'a b'/],
      'a second line': [{text: 'a b\nc\n'}, {cmdline: 'a b'}, /cmdline is/],
    },
    missing: {'an empty file': [{text: ''}, {cmdline: 'a b'}]},
  },
  judgeCmdlineSafe: {
    good: [[{cmdline}]],
    bad: {
      'a shell': [{cmdline: `${cmdline} init=/bin/sh`}, /'init=\/bin\/sh' is dangerous/],
      'a safeguard that is undone': [{cmdline: `${cmdline} panic=0`}, /'panic' is used 2 times/],
    },
    missing: {'an empty command line': [{cmdline: ''}]},
  },
  judgeCmdlineConfigured: {
    good: [[{cmdline}, {configured: cmdline}]],
    bad: {'another one': [{cmdline: 'a'}, {configured: 'b'}, /it is 'a', the configuration gives 'b'/]},
    missing: {'an empty command line': [{cmdline: ''}, {configured: cmdline}]},
  },
  judgeBootConf: {
    good: [[{text: conf}, {expected: conf}]],
    bad: {
      'another value': [{text: conf.replace('=1', '=2')}, {expected: conf}, /'version=2' is not expected/],
      'a line more': [{text: `${conf}x=1\n`}, {expected: conf}, /'x=1' is not expected/],
      'another order': [{text: 'profile=development\nversion=1\n'}, {expected: conf}, /another order/],
    },
    missing: {
      'an empty file': [{text: ''}, {expected: conf}],
      'a file that is cut': [{text: 'version=1\nprof'}, {expected: conf}],
      'nothing to compare it with': [{text: ''}, {expected: ''}],
    },
  },
}
