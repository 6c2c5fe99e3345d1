import {createHash} from 'node:crypto'
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {runTasks} from '../build/index.js'
import {SilentReporter} from '../ui/index.js'
import {launchFacts, planMeasure, standInFirmware} from './index.js'

// Few releases have firmware of the kind AmdSev. A small one in its form stands in for it: the tool looks for its
// tables, and the digest covers every byte of it. docs/verification.md says what was measured with a real one.
const sha = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

let root: string
let ovmf: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-measure-'))
  ovmf = join(root, 'OVMF.amdsev.fd')
  writeFileSync(ovmf, standInFirmware())
  writeFileSync(join(root, 'kernel'), 'kernel\n'.repeat(1000))
  writeFileSync(join(root, 'initrd'), 'initrd\n'.repeat(1000))
})
afterAll(() => {
  rmSync(root, {recursive: true})
})

interface Changes {
  launch?: Record<string, unknown>
  kernel?: string
  initrd?: string
  cmdline?: string
}

/** The tool is installed once for all tests, as in builds. */
const tools = join(tmpdir(), 'cc-measure-tools')

async function measure({launch = {}, kernel, initrd, cmdline = 'a=b quiet'}: Changes = {}) {
  const config = parseConfig({launch: {ovmf, vcpus: [2], ...launch}}).launch
  const plan = await planMeasure({
    launch: config,
    kernel: kernel ?? join(root, 'kernel'),
    initrd: initrd ?? join(root, 'initrd'),
    ...{cmdline, tools, work: root},
  })
  await runTasks(plan.tasks, {reporter: new SilentReporter(), logDir: root})
  return plan.result()
}

/** A copy of a file with one bit of one byte changed. */
function flipped(name: string, offset: number): string {
  const bytes = readFileSync(join(root, name))
  bytes[offset] = (bytes[offset] ?? 0) ^ 1
  const copy = join(root, `${name}.flipped`)
  writeFileSync(copy, bytes)
  return copy
}

describe('the expected measurement', () => {
  it('has one digest for each number of processors and each type, and says what it was made from', async () => {
    const measurement = await measure({launch: {vcpus: [1, 2], cpuTypes: ['EPYC-v4', 'EPYC-Milan']}})
    expect(measurement).toMatchObject({platform: 'sev-snp', algorithm: 'sha384'})
    expect(measurement?.entries.map(({vcpus, cpuType}) => [vcpus, cpuType])).toEqual([
      [1, 'EPYC-v4'],
      [2, 'EPYC-v4'],
      [1, 'EPYC-Milan'],
      [2, 'EPYC-Milan'],
    ])
    expect(new Set(measurement?.entries.map(({digest}) => digest)).size).toBe(4)
    expect(measurement?.from).toEqual({
      firmware: sha(readFileSync(ovmf)),
      kernel: sha(readFileSync(join(root, 'kernel'))),
      initrd: sha(readFileSync(join(root, 'initrd'))),
      cmdline: sha('a=b quiet'),
    })
  }, 120_000)

  it('changes with one bit of kernel, initrd and firmware, and with the command line, its end and the features', async () => {
    const digest = async (changes: Changes) => (await measure(changes))?.entries[0]?.digest ?? ''
    const same = await digest({})
    expect(await digest({})).toBe(same)
    const firmware = readFileSync(ovmf)
    firmware[100] = 1
    writeFileSync(join(root, 'other.fd'), firmware)
    const others = [
      await digest({kernel: flipped('kernel', 3)}),
      await digest({initrd: flipped('initrd', 6999)}),
      await digest({cmdline: 'a=c quiet'}),
      await digest({cmdline: 'a=b quiet\n'}),
      await digest({cmdline: 'a=b quiet '}),
      await digest({launch: {guestFeatures: '0x21'}}),
      await digest({launch: {ovmf: join(root, 'other.fd')}}),
    ]
    expect(new Set([same, ...others]).size).toBe(others.length + 1)
  }, 120_000)

  it('is null, and takes no step, where no firmware is configured', async () => {
    const plan = await planMeasure({
      launch: parseConfig({}).launch,
      ...{kernel: '/none', initrd: '/none', cmdline: '', tools: '/none', work: '/none'},
    })
    expect(plan.tasks).toEqual([])
    expect(await plan.result()).toBeNull()
  })

  it('is refused for a firmware that is missing, is another, or has no table for the hashes', async () => {
    await expect(measure({launch: {ovmf: '/no/such.fd'}})).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining("launch.ovmf: there is no file '/no/such.fd'") as string,
    })
    await expect(measure({launch: {ovmfSha256: 'a'.repeat(64)}})).rejects.toMatchObject({code: 'E_SHA256'})
    writeFileSync(join(root, 'plain.fd'), standInFirmware({hashes: false}))
    await expect(measure({launch: {ovmf: join(root, 'plain.fd')}})).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('has no table for the hashes') as string,
    })
  }, 60_000)

  it('is refused where the tool cannot be installed: Python makes no environment below a name with a colon', async () => {
    const request = (launch: object) => ({
      launch: parseConfig({launch: {ovmf, ...launch}}).launch,
      ...{kernel: '/k', initrd: '/i', cmdline: '', tools: '/x/my build,a:b/tools', work: '/none'},
    })
    await expect(planMeasure(request({}))).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: `python3 -m venv cannot work in '/x/my build,a:b/tools': it separates paths by ":"`,
    })
    await expect(planMeasure(request({tool: '/bin/true'}))).resolves.toBeDefined()
  })

  it('is refused with a tool that is another program, and for a processor that the tool does not know', async () => {
    await expect(measure({launch: {tool: '/bin/ls'}})).rejects.toMatchObject({
      code: 'E_HOST_TOOL',
      message: expect.stringContaining('neither sev-snp-measure nor snpguest') as string,
    })
    await expect(measure({launch: {cpuTypes: ['EPYC-None']}})).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining("'EPYC-None'") as string,
    })
  }, 60_000)
})

describe('what the launcher is told', () => {
  it('has the size in MiB and the sha256 of the firmware, and no path of the host', async () => {
    const facts = await launchFacts(parseConfig({launch: {ovmf, memory: '2G'}}).launch)
    expect(facts).toMatchObject({memoryMiB: 2048, firmwareSha256: sha(readFileSync(ovmf))})
    expect(JSON.stringify(facts)).not.toContain(root)
  })
})
