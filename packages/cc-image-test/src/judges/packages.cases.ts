import type {CasesOf} from '../fixtures/cases.js'

const agent = {name: 'qemu-guest-agent', group: 'agents', reason: 'runs commands of the host'}

export const cases: CasesOf<typeof import('./packages.js')> = {
  judgePackages: {
    good: [
      [{count: 300, sought: ['agents'], unwanted: []}, {kept: []}],
      [{count: 300, sought: ['agents'], unwanted: [agent]}, {kept: ['agents']}],
    ],
    bad: {
      'an agent': [
        {count: 300, sought: ['agents'], unwanted: [agent]},
        {kept: ['ssh']},
        /'qemu-guest-agent' runs commands/,
      ],
    },
    missing: {
      'an empty list': [{count: 0, sought: ['agents'], unwanted: []}, {kept: []}],
      'nothing was sought': [{count: 300, sought: [], unwanted: []}, {kept: []}],
    },
  },
}
