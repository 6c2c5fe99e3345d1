import {describe, expect, it} from 'vitest'

import {judgeAttest, judgeDriver, judgeUnits, type DeviceReport} from './checks/devices.js'

const evidence = {nonce: '7'.padStart(64, '0'), cpu: {status: 'absent', detail: 'no TEE'}, gpu: {status: 'absent'}}
const good: DeviceReport = {
  kernel: '6.12.1-amd64',
  driver: '550.163.01',
  file: '/lib/modules/6.12.1-amd64/updates/cc-nvidia/nvidia.ko',
  signer: '',
  loaded: 0,
  sevGuest: '/lib/modules/x/sev-guest.ko',
  snpguest: 'snpguest 0.11.0',
  sdk: '2.7.3',
  attest: evidence,
  attestStatus: 5,
  cpuStatus: 3,
  gpuStatus: 4,
  tools: '',
  gpuState: 'absent ',
  load: 'active success yes',
  daemon: 'inactive success no',
  ready: 'active success yes',
}

describe('the driver', () => {
  it('is that of the configuration, for the kernel that runs', () => {
    expect(judgeDriver(good, null).status).toBe('passed')
    expect(judgeDriver(good, '550.163.01').status).toBe('passed')
    expect(judgeDriver(good, '550.163.01-2').status).toBe('passed')
    expect(judgeDriver(good, '550.90').status).toBe('failed')
    expect(judgeDriver({...good, driver: ''}, null).status).toBe('failed')
    expect(judgeDriver({...good, file: '/lib/modules/6.1.0/nvidia.ko'}, null).status).toBe('failed')
  })
})

describe('the units of the GPU', () => {
  it.each<[string, Partial<DeviceReport>]>([
    ['a state that is not absent', {gpuState: 'loaded '}],
    ['a unit that failed', {load: 'failed exit-code yes'}],
    ['a unit that did not run', {ready: 'inactive success yes'}],
    ['a daemon without a GPU', {daemon: 'active success yes'}],
  ])('%s is a failure', (_, change) => {
    expect(judgeUnits(good).status).toBe('passed')
    expect(judgeUnits({...good, ...change}).status).toBe('failed')
  })
})

describe('cc-attest', () => {
  it.each<[string, Partial<DeviceReport>]>([
    ['nothing', {attest: null}],
    ['evidence where there is no TEE', {attest: {...evidence, cpu: {status: 'ok'}}}],
    ['a GPU where there is none', {attest: {...evidence, gpu: {status: 'failed'}}}],
    ['another nonce', {attest: {...evidence, nonce: '8'}}],
    ['success', {attestStatus: 0}],
    ['success for the CPU', {cpuStatus: 0}],
    ['success for the GPU', {gpuStatus: 0}],
  ])('that gives %s is not honest', (_, change) => {
    expect(judgeAttest(good).status).toBe('passed')
    expect(judgeAttest({...good, ...change}).status).toBe('failed')
  })
})
