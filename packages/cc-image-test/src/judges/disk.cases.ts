import {typeGuids} from 'cc-core/layout'
import type {PartitionTable} from 'cc-core/vm'

import type {CasesOf} from '../fixtures/cases.js'

const info = {otherFiles: [], encrypted: false, snapshots: 0, virtualSize: 1000, actualSize: 10}
const bytes = {bytes: 1000}
const root = {name: 'cc-root', start: 1024, size: 2048}
const entry = {...root, typeGuid: typeGuids.linux, partGuid: 'x', attributes: ''}
const table: PartitionTable = {label: 'gpt', diskGuid: 'd', partitions: [entry]}
const with_ = (change: object) => ({...table, partitions: [{...entry, ...change}]})
const manifest = {partitions: [root]}

export const cases: CasesOf<typeof import('./disk.js')> = {
  judgeAlone: {
    good: [
      [info, bytes],
      [
        {...info, otherFiles: ['../../shared/root-1.raw']},
        {...bytes, shared: '../../shared/root-1.raw'},
      ],
    ],
    bad: {
      'a backing file': [{...info, otherFiles: ['/x']}, bytes, /it needs \/x/],
      'a shared root elsewhere': [
        {...info, otherFiles: ['nbd://evil:10809/root-1.raw']},
        {...bytes, shared: '../../shared/root-1.raw'},
        /it needs nbd:/,
      ],
      'another shared root': [
        {...info, otherFiles: ['../../shared/root-2.raw']},
        {...bytes, shared: '../../shared/root-1.raw'},
        /it needs \.\.\/\.\.\/shared\/root-2\.raw/,
      ],
      encryption: [{...info, encrypted: true}, bytes, /encryption of its own/],
      'a snapshot': [{...info, snapshots: 1}, bytes, /1 snapshots/],
      'another size': [{...info, virtualSize: 999}, bytes, /999 bytes, not 1000/],
    },
    missing: {nothing: [{}, bytes]},
  },
  judgeSound: {
    good: [[{exitCode: 0, said: ''}, {disk: '/d'}]],
    bad: {'a leak': [{exitCode: 3, said: 'leaked clusters'}, {disk: '/d'}, /leaked clusters/]},
    missing: {'a check that was killed': [{exitCode: null, said: ''}, {disk: '/d'}]},
  },
  judgeTable: {
    good: [[table, manifest]],
    bad: {
      'another kind': [{...table, label: 'dos'}, manifest, /it is a dos table/],
      'another start': [with_({start: 1}), manifest, /begins at 1, not at 1024/],
      'another size': [with_({size: 1}), manifest, /has 1 bytes, not 2048/],
      'another type': [with_({typeGuid: 'swap'}), manifest, /of type swap/],
      attributes: [with_({attributes: 'GUID:59'}), manifest, /attributes GUID:59/],
      'a stranger': [{...table, partitions: [entry, {...entry, name: 'x'}]}, manifest, /'x' is not in the manifest/],
      'a name that is used twice': [{...table, partitions: [entry, entry]}, manifest, /is used 2 times/],
    },
    missing: {
      'the partition': [{...table, partitions: []}, manifest],
      'the partitions of the manifest': [{...table, partitions: []}, {partitions: []}],
    },
  },
  judgeCopies: {
    good: [[{primary: table, backup: table}]],
    bad: {'another start': [{primary: table, backup: with_({start: 1})}, /differs/]},
    missing: {
      'two copies that are empty': [{primary: {...table, partitions: []}, backup: {...table, partitions: []}}],
      'two copies that are no GPT': [{primary: {...table, label: 'dos'}, backup: {...table, label: 'dos'}}],
    },
  },
}
