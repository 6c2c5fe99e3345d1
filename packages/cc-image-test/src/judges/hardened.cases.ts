import type {CasesOf} from '../fixtures/cases.js'
import type {Protected} from './hardened.js'

const verity = {rootHash: '0'.repeat(64), salt: '1'.repeat(64), blocks: 4}
const root: Protected = {name: 'cc-root', encryption: 'luks2', integrity: 'verity', key: 'development', verity}
const ro: Protected = {...root, name: 'cc-ro'}
const app: Protected = {name: 'cc-app', encryption: 'luks2', integrity: 'none', key: 'tee-ephemeral', verity: null}
const out: Protected = {...app, name: 'cc-out', encryption: 'on-demand', key: 'key-file'}
const client = {role: 'client'} as const

export const cases: CasesOf<typeof import('./hardened.js')> = {
  judgeProtected: {
    good: [
      [{partitions: [root, app, ro]}, client],
      [{partitions: [root, app, ro, out]}, {role: 'server'}],
    ],
    bad: {
      'a root without verity': [
        {partitions: [{...root, integrity: 'none', verity: null}, app, ro]},
        client,
        /^cc-root is not verified by dm-verity$/,
      ],
      'verity without a root hash': [
        {partitions: [root, app, {...ro, verity: null}]},
        client,
        /^cc-ro is not verified/,
      ],
      'a workspace in the clear': [
        {partitions: [root, {...app, encryption: 'none'}, ro]},
        client,
        /^cc-app is not encrypted: none$/,
      ],
      'an output for a client': [{partitions: [root, app, ro, out]}, client, /^a client has cc-out$/],
    },
    missing: {'no partition': [{partitions: []}, client]},
  },
  judgeKeySources: {
    good: [
      [{profile: 'development', partitions: [root, app, ro]}],
      [{profile: 'production', partitions: [{...root, key: 'kbs'}, app, {...ro, key: 'kbs'}]}],
    ],
    bad: {
      'a development key': [
        {profile: 'production', partitions: [{...root, key: 'kbs'}, app, ro]},
        /^a production image takes the key of cc-ro from the key source development$/,
      ],
    },
    missing: {'no key at all': [{profile: 'production', partitions: []}]},
  },
}
