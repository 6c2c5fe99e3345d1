import type {CasesOf} from '../fixtures/cases.js'

const tcb = {bootloader: 4, tee: 1, snp: 23, microcode: 72}
const denied = {status: 401, error: 'PolicyDeny'}
const verifier = {status: 401, error: 'TokenVerifierError'}

export const cases: CasesOf<typeof import('./trustee.js')> = {
  judgePolicyText: {
    good: [[{text: 'package policy\n'}, {expected: 'package policy\n'}]],
    bad: {'another policy': [{text: 'allow := true'}, {expected: 'package policy\n'}, /is not the one that follows/]},
    missing: {'nothing to compare it with': [{text: ''}, {expected: ''}]},
  },
  judgeDemands: {
    good: [[{digests: 2, minimumTcb: tcb}]],
    bad: {
      'no digest': [{digests: 0, minimumTcb: tcb}, /nothing is released/],
      'a part that may be old': [{digests: 2, minimumTcb: {...tcb, snp: 0}}, /minimumTcb\.snp: 0 accepts/],
    },
    missing: {'a part that is not named': [{digests: 2, minimumTcb: {snp: 23}}]},
  },
  judgeAnswer: {
    good: [
      [{answer: 'released'}, {released: true}],
      [{answer: 'refused'}, {released: false}],
    ],
    bad: {
      'released to another': [{answer: 'released'}, {released: false}, /the policy says released/],
      'refused to the image': [{answer: 'refused'}, {released: true}, /the policy says refused/],
      'no policy': [{answer: 'error: no such rule'}, {released: false}, /no such rule/],
    },
    missing: {'no answer': [{answer: ''}, {released: false}]},
  },
  judgeNoToken: {
    good: [[{status: 401, error: 'TokenNotFound'}]],
    bad: {
      'a key for everybody': [{status: 200, error: ''}, /released/],
      'another server': [{status: 401, error: ''}, /is this one/],
      'a broker in trouble': [{status: 500, error: 'x'}, /status 500/],
    },
    missing: {'no status': [{error: 'TokenNotFound'}]},
  },
  judgeForged: {
    good: [
      [verifier, {cause: null, released: true}],
      [verifier, {cause: 'x', released: false}],
    ],
    bad: {
      released: [{status: 200, error: ''}, {cause: null, released: true}, /insecure_header_jwk/],
      'released to another image': [
        {status: 200, error: ''},
        {cause: 'x', released: false},
        /released: .*insecure_header_jwk/,
      ],
      'refused by the policy alone': [denied, {cause: null, released: false}, /its claims were believed/],
      'only the key is missing': [
        {status: 401, error: 'PluginInternalError'},
        {cause: null, released: true},
        /only the key/,
      ],
      'another server': [{status: 404, error: ''}, {cause: null, released: true}, /cannot be told/],
    },
    missing: {'no error': [{status: 401}, {cause: null, released: true}]},
  },
  judgeNoAdmin: {
    good: [[{status: 401, error: 'AdminAuthAccess'}]],
    bad: {
      'everybody is administrator': [{status: 200, error: ''}, /InsecureAllowAll/],
      'another server': [{status: 404, error: ''}, /is this one/],
    },
    missing: {'no status': [{error: 'AdminAuthAccess'}]},
  },
  judgeAdmin: {
    good: [[{status: 200, text: '["resource-policy"]'}]],
    bad: {
      'another token': [{status: 401, text: ''}, /is not that of an administrator/],
      'no policy': [{status: 200, text: '[]'}, /names no resource policy/],
    },
    missing: {'no text': [{status: 200}]},
  },
  judgeSample: {
    good: [
      [{exitCode: 1, said: 'Error: request unauthorized'}],
      [
        {
          exitCode: 1,
          said: 'RCAR handshake failed: KBS attest unauthorized, Error Info: ErrorInformation { error_type: "https://github.com/confidential-containers/kbs/errors/AttestationError", detail: "x" }',
        },
      ],
    ],
    bad: {
      released: [{exitCode: 0, said: ''}, /without evidence/],
      'not asked': [{exitCode: 1, said: 'Connection refused'}, /was not asked: Connection refused/],
      'an address that says attest': [
        {exitCode: 1, said: 'error sending request for url (https://attestation.example/kbs/v0/auth): refused'},
        /was not asked/,
      ],
      'no answer in time': [{exitCode: 1, said: '(https://kbs/kbs/v0/attest): operation timed out'}, /was not asked/],
      'no attester of its own': [
        {exitCode: 1, said: 'Error: no attester is supported on this platform'},
        /was not asked: Error: no attester/,
      ],
      'a file of its own': [{exitCode: 1, said: 'Error: cannot parse attestation.toml'}, /was not asked/],
      'a local failure of the handshake': [
        {exitCode: 1, said: 'RCAR handshake failed: get TEE evidence failed: attester error: access denied'},
        /was not asked/,
      ],
      'only the key is missing': [
        {
          exitCode: 1,
          said: 'ErrorInformation { error_type: "https://github.com/confidential-containers/kbs/errors/PluginInternalError" }',
        },
        /was not asked/,
      ],
      'a file that is denied': [{exitCode: 1, said: 'open /x: Permission denied (os error 13)'}, /was not asked/],
    },
    missing: {'no words': [{exitCode: 1, said: ''}]},
  },
}
