import type {CasesOf} from '../fixtures/cases.js'

const agent = {name: 'qemu-guest-agent', group: 'agents', reason: 'runs commands of the host'}

export const cases: CasesOf<typeof import('./packages.js')> = {
  judgePackages: {
    good: [
      [{count: 300, unwanted: []}, {kept: []}],
      [{count: 300, unwanted: [agent]}, {kept: ['agents']}],
    ],
    bad: {'an agent': [{count: 300, unwanted: [agent]}, {kept: ['ssh']}, /'qemu-guest-agent' runs commands/]},
    missing: {'an empty list': [{count: 0, unwanted: []}, {kept: []}]},
  },
}
