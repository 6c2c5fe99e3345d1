import type {CasesOf} from '../fixtures/cases.js'
import type {DeviceReport} from './devices.js'

const evidence = {nonce: '7'.padStart(64, '0'), cpu: {status: 'absent', detail: 'no TEE'}, gpu: {status: 'absent'}}
const driver = {
  ...{kernel: '6.12.1-amd64', driver: '550.163.01', signer: ''},
  file: '/lib/modules/6.12.1-amd64/updates/cc-nvidia/nvidia.ko',
}
const units = {
  gpuState: 'absent ',
  load: 'active success yes',
  daemon: 'inactive success no',
  ready: 'active success yes',
}
const attest: Pick<DeviceReport, 'attest' | 'attestStatus' | 'cpuStatus' | 'gpuStatus'> = {
  ...{attest: evidence, attestStatus: 5, cpuStatus: 3, gpuStatus: 4},
}
const any = {version: null}

export const cases: CasesOf<typeof import('./devices.js')> = {
  judgeDriver: {
    good: [
      [driver, any],
      [driver, {version: '550.163.01'}],
      [driver, {version: '550.163.01-2'}],
    ],
    bad: {
      'another version': [driver, {version: '550.90'}, /configured is 550\.90/],
      'a module of another kernel': [{...driver, file: '/lib/modules/6.1.0/nvidia.ko'}, any, /is not of kernel/],
    },
    missing: {
      'no module': [{...driver, driver: ''}, any],
      'the kernel': [{...driver, kernel: ''}, any],
    },
  },
  judgeAutoload: {
    good: [[{loaded: 0}]],
    bad: {'a module': [{loaded: 2}, /2 modules/]},
    missing: {nothing: [{}]},
  },
  judgeGpuUnits: {
    good: [[units]],
    bad: {
      'a state that is not absent': [{...units, gpuState: 'loaded '}, /state of the GPUs is 'loaded'/],
      'a unit that failed': [{...units, load: 'failed exit-code yes'}, /cc-gpu-load/],
      'a unit that did not run': [{...units, ready: 'inactive success yes'}, /cc-gpu-ready/],
      'a daemon without a GPU': [{...units, daemon: 'active success yes'}, /nvidia-persistenced/],
    },
    missing: {'empty answers': [{gpuState: '', load: '', daemon: '', ready: ''}]},
  },
  judgeNoCompiler: {good: [[{tools: ''}]], bad: {gcc: [{tools: 'gcc'}, /gcc/]}, missing: {nothing: [{}]}},
  judgeSnpguest: {
    good: [[{snpguest: 'snpguest 0.11.0'}]],
    bad: {'a message': [{snpguest: 'not found'}, /it says 'not found'/]},
    missing: {'an empty answer': [{snpguest: ''}]},
  },
  judgeSdk: {
    good: [[{sdk: '2.7.3'}]],
    bad: {'a traceback': [{sdk: 'ImportError'}, /ImportError/]},
    missing: {'an empty answer': [{sdk: ''}]},
  },
  judgeSdkLock: {
    good: [[{listed: true}]],
    bad: {'no list': [{listed: false}, /there is no attestation-python\.json/]},
    missing: {nothing: [{}]},
  },
  judgeSevGuest: {
    good: [[{sevGuest: '/lib/modules/x/sev-guest.ko', kernel: '6.1'}, {required: true}]],
    bad: {'none, where it is required': [{sevGuest: 'none', kernel: '6.1'}, {required: true}, /there is no sev-guest/]},
    missing: {'an empty answer': [{sevGuest: '', kernel: '6.1'}, {required: false}]},
  },
  judgeAttest: {
    good: [[attest]],
    bad: {
      'evidence where there is no TEE': [
        {...attest, attest: {...evidence, cpu: {status: 'ok'}}},
        /of the CPU it says 'ok'/,
      ],
      'a GPU where there is none': [{...attest, attest: {...evidence, gpu: {status: 'failed'}}}, /of the GPU it says/],
      'another nonce': [{...attest, attest: {...evidence, nonce: '8'}}, /its nonce is 8/],
      success: [{...attest, attestStatus: 0}, /exit status 0/],
      'success for the CPU': [{...attest, cpuStatus: 0}, /0 for the CPU/],
      'success for the GPU': [{...attest, gpuStatus: 0}, /0 for the GPU/],
    },
    missing: {'it printed nothing': [{...attest, attest: null}]},
  },
}
