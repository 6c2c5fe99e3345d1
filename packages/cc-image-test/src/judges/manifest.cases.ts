import type {Manifest} from 'cc-core/manifest'

import type {CasesOf} from '../fixtures/cases.js'

const root = {name: 'cc-root', mount: '/', start: 0, size: 100, content: {bytes: 90}, integrity: 'none', verity: null}
const artefacts = {vmlinuz: {}, 'initrd.img': {}, cmdline: {}}
const base = {
  stage: 'base',
  distribution: 'debian-12',
  disk: {bytes: 1000},
  partitions: [root],
  packages: [],
  artefacts,
}
const with_ = (change: object) => ({manifest: {...base, ...change} as unknown as Manifest})
const place = {path: '/x/nvcc_image.qcow2', target: 'image.qcow2'}

export const cases: CasesOf<typeof import('./manifest.js')> = {
  judgeManifest: {
    good: [[with_({})]],
    bad: {
      'a path': [with_({artefacts: {...artefacts, '../x': {}}}), /'\.\.\/x' is not a file name/],
      'two of one name': [with_({partitions: [root, {...root, start: 100}]}), /cc-root is used twice/],
      'one in another': [with_({partitions: [root, {...root, name: 'x', start: 50}]}), /x begins inside/],
      'a content that is too large': [with_({partitions: [{...root, content: {bytes: 101}}]}), /is larger than/],
      'a root without content': [
        with_({partitions: [{...root, content: null}]}),
        /the content of cc-root is not described/,
      ],
      'a partition with a root hash and without content': [
        with_({
          partitions: [root, {...root, name: 'cc-ro', start: 100, content: null, integrity: 'verity', verity: {}}],
        }),
        /the content of cc-ro is not described/,
      ],
      'verity without a root hash': [with_({partitions: [{...root, integrity: 'verity'}]}), /verity does not fit/],
      'one behind the disk': [with_({disk: {bytes: 50}}), /behind the disk/],
    },
    missing: {
      'the kernel': [with_({artefacts: {'initrd.img': {}, cmdline: {}}})],
      'the root': [with_({partitions: []})],
    },
  },
  judgeReadable: {
    good: [[{problem: null}]],
    bad: {'a manifest that is not JSON': [{problem: 'it is not JSON'}, /it is not JSON/]},
    missing: {'an empty reason': [{problem: ''}]},
  },
  judgeAltered: {
    good: [[{checked: ['vmlinuz'], altered: []}, {names: ['vmlinuz']}]],
    bad: {
      'a partition that was not compared': [
        {checked: ['vmlinuz'], altered: []},
        {names: ['vmlinuz', 'cc-root']},
        /^cc-root was not compared$/,
      ],
      'another kernel': [
        {checked: ['vmlinuz'], altered: [{name: 'vmlinuz', reason: 'has another sha256'}]},
        {names: ['vmlinuz']},
        /vmlinuz has another sha256/,
      ],
    },
    missing: {
      'nothing is described': [{checked: [], altered: []}, {names: []}],
      'nothing was compared': [{checked: [], altered: []}, {names: ['vmlinuz']}],
    },
  },
  judgeAlias: {
    good: [[{link: 'image.qcow2'}, place]],
    bad: {'another disk': [{link: 'other.qcow2'}, place, /it links to 'other\.qcow2'/]},
    missing: {'no link': [{link: null}, place]},
  },
}
