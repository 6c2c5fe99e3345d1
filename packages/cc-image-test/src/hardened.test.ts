import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import type {Measurement} from 'cc-core/manifest'
import {SilentReporter} from 'cc-core/ui'
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {changeManifest, copyOf, sealSmallImage} from './fixtures/image.js'
import {hardenedSuite} from './services/hardened.js'
import {testImage} from './services/test-image.js'

let lab: string
let sealed: string
let image: string
beforeAll(async () => {
  lab = mkdtempSync(join(tmpdir(), 'cc-hardened-test-'))
  sealed = await sealSmallImage(lab)
}, 120_000)
beforeEach(() => {
  image = copyOf(sealed, mkdtempSync(join(lab, 'test-')))
})
afterAll(() => {
  rmSync(lab, {recursive: true})
})

const asked = ['measurement', 'host-scripts', 'install-check', 'no-host-agents']

/** What the hardened suite says of launch and packages, by id. */
async function hardened(): Promise<Record<string, string>> {
  const {report} = await testImage(
    hardenedSuite({quick: false, only: asked, command: ['cc-image-test', 'hardened']}),
    {
      ...{image, config: null, workDir: null, accelerator: 'tcg', timeoutMs: 1000, memoryMiB: 64, lingerMs: 0},
    },
    {reporter: new SilentReporter(), signal: new AbortController().signal},
  )
  return Object.fromEntries(report.checks.map(({id, status, detail}) => [id, `${status}: ${detail}`]))
}

describe('cc-image-test hardened', {timeout: 120_000}, () => {
  it('looks at the expected measurement, the scripts for the host, and the packages', async () => {
    const rows = await hardened()
    expect(Object.keys(rows).sort()).toEqual([...asked].sort())
    expect(rows).toMatchObject({
      // A development image may have none.
      measurement: 'skipped: the image has no expected measurement: it was built without launch.ovmf',
      'host-scripts': 'passed: install_cc_image.sh, launch_cc_image.sh',
      'no-host-agents': 'passed: none of 1 packages',
    })
    expect(rows['install-check']).toMatch(/^passed: the image is whole/)
  })

  it('finds a production image without a measurement', async () => {
    changeManifest(image, () => ({profile: 'production'}))
    expect((await hardened())['measurement']).toMatch(/^failed: the image has no expected measurement/)
  })

  it('finds a measurement of another initrd, and a package that acts on behalf of the host', async () => {
    changeManifest(image, ({launch, packages}) => {
      const other = 'f'.repeat(64)
      const entry = {vcpus: 1, cpuType: 'EPYC-v4', guestFeatures: '0x1', digest: 'a'.repeat(96)}
      const measurement: Measurement = {
        ...{platform: 'sev-snp', algorithm: 'sha384', entries: [entry]},
        from: {firmware: other, kernel: other, initrd: other, cmdline: other},
      }
      return {
        ...(launch && {launch: {...launch, firmwareSha256: other}}),
        measurement,
        packages: [...packages, {name: 'qemu-guest-agent', version: '1', architecture: 'amd64'}],
      }
    })
    const rows = await hardened()
    expect(rows['measurement']).toMatch(/^failed: .*it is of another initrd/)
    expect(rows['no-host-agents']).toMatch(/^failed: 'qemu-guest-agent' runs commands/)
  })
})
