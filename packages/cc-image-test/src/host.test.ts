import {runCommand} from '@oclif/test'
import type {Check} from 'cc-core/report'
import {afterEach, describe, expect, it} from 'vitest'

import Base from './commands/base.js'
import Flare from './commands/flare.js'
import Hardened from './commands/hardened.js'
import Host from './commands/host.js'

const path = process.env['PATH']
afterEach(() => {
  process.env['PATH'] = path
  process.exitCode = undefined
})

describe('cc-image-test host', {timeout: 60_000}, () => {
  it('says of each check how it went, with a reason for every skip, and a command for every failure', async () => {
    const {stdout} = await runCommand(['host', '--json'], import.meta.url)
    const {checks} = JSON.parse(stdout) as {checks: Check[]}
    expect(checks.length).toBeGreaterThan(20)
    expect(new Set(checks.map(({id}) => id)).size).toBe(checks.length)
    for (const {id, status, detail, fix} of checks) {
      expect(detail, id).not.toBe('')
      if (status === 'failed') expect(fix, id).toBeDefined()
    }
    const status = (id: string) => checks.find((check) => check.id === id)?.status
    expect(status('node')).toBe('passed')
    // They make it faster, or are for another host: never a failure.
    for (const id of ['kvm', 'sev-snp']) expect(status(id)).toMatch(/^(passed|skipped)$/)
    expect(process.exitCode ?? 0).toBe(checks.some((check) => check.status === 'failed') ? 7 : 0)
  })

  it('prints a table with the count', async () => {
    const {stdout} = await runCommand(['host'], import.meta.url)
    expect(stdout).toMatch(/^pass {2}Node\.js is 20\.19 or newer +0\.0 s {2}/)
    expect(stdout).toMatch(/\n\d+ passed, \d+ failed, \d+ skipped\ntook .+\n$/)
  })
})

it.each([
  [Base, ['image', 'junit', 'html', 'config', 'set', 'work-dir', 'dry-run', 'print-config', 'verbose']],
  [Host, ['junit', 'html', 'verbose']],
])('%s has the flags that others script against, each with a summary', (command, names) => {
  const flags = {...command.baseFlags, ...command.flags}
  expect(Object.keys(flags)).toEqual(expect.arrayContaining(names))
  for (const [name, flag] of Object.entries(flags)) expect(flag.summary, name).toMatch(/^[A-Z].*\.$/)
  expect(command.enableJsonFlag).toBe(true)
})

it.each([
  [Base, './build/confidential_computing_image'],
  [Flare, './build/nvflare_cc_image'],
  [Hardened, './build/nvflare_cc_image_hardened'],
])('%s looks at the image of its own stage by default', (command, image) => {
  expect({...command.baseFlags, ...command.flags}.image.default).toBe(image)
})
