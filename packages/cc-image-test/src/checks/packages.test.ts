import {readUnwanted} from 'cc-core/build'
import {describe, expect, it} from 'vitest'

import {judgePackages} from '../judges/packages.js'
import {installedOf} from './packages.js'

const judge = (names: readonly string[], kept: readonly string[] = []) =>
  judgePackages(
    installedOf(
      names.map((name) => ({name, version: '1', architecture: 'amd64'})),
      readUnwanted(),
    ),
    {kept},
  )

describe('judgePackages', () => {
  it('passes a system without such packages', () => {
    expect(judge(['libc6', 'systemd', 'openssh-client'])).toMatchObject({
      status: 'passed',
      detail: 'none of 3 packages',
    })
  })

  it('names what acts on behalf of the host, and why', () => {
    const {status, detail} = judge(['libc6', 'cloud-init', 'open-vm-tools:amd64'])
    expect(status).toBe('failed')
    expect(detail).toContain("'cloud-init' takes users, keys and code from a disk or an address of the host")
    expect(detail).toContain("'open-vm-tools:amd64' runs commands of the host")
  })

  it('passes what the configuration keeps, and only that', () => {
    expect(judge(['libc6', 'openssh-server'], ['ssh'])).toMatchObject({status: 'passed'})
    expect(judge(['libc6', 'openssh-server', 'snapd'], ['ssh'])).toMatchObject({
      status: 'failed',
      detail: expect.not.stringContaining('openssh') as unknown,
    })
  })

  it('takes a list without packages for missing evidence', () => {
    expect(judge([])).toMatchObject({status: 'failed', detail: 'the manifest lists no packages'})
  })
})
