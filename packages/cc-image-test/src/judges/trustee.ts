import {openTcbParts} from 'cc-core/config'
import {failed, passed, verdictOf} from 'cc-core/report'

import type {BrokerAnswer} from '../trustee/broker.js'
import {judging} from './evidence.js'

/** The file trustee/resource-policy.rego against the policy that follows from the manifest. */
export const judgePolicyText = judging<{text: string}>('text')(({text}, {expected}: {expected: string}) =>
  text === expected && expected !== ''
    ? passed('as it follows from the manifest')
    : failed(
        'it is not the one that follows from the manifest',
        'build the image again, or take an unaltered copy of its directory',
      ),
)

/** What a policy can tell apart: without digests nothing, without least versions no old firmware. */
export const judgeDemands = judging<{digests: number; minimumTcb: Readonly<Record<string, number>>}>(
  'digests',
  'minimumTcb',
)(({digests, minimumTcb}) => {
  const open = openTcbParts(minimumTcb).map((part) => `kbs.policy.minimumTcb.${part}`)
  return verdictOf(
    [
      ...(digests > 0 ? [] : ['it has no launch digest (launch.ovmf): nothing is released']),
      ...(open.length === 0 ? [] : [`${open.join(', ')}: 0 accepts firmware with known holes`]),
    ],
    `${digests} launch digests, least versions of the TCB`,
  )
})

/** The answer of a policy engine to a row of the table of evidence. */
export const judgeAnswer = judging<{answer: string}>('answer')(({answer}, {released}: {released: boolean}) => {
  const right = released ? 'released' : 'refused'
  if (answer === right) return passed(answer)
  return failed(answer === 'released' || answer === 'refused' ? `the policy says ${answer}` : answer)
})

type Seen = Pick<BrokerAnswer, 'status' | 'error'>

/** Somebody without a token asks for a key. */
export const judgeNoToken = judging<Seen>(
  'status',
  'error',
)(({status, error}) => {
  if (status === 200) return failed('the broker released it')
  return status === 401 && error !== ''
    ? passed(`refused: ${error}`)
    : failed(`status ${status} without an error of a key broker: is this one?`)
})

const insecure =
  'the broker accepts whoever signs for himself; set insecure_header_jwk = false in its section [attestation_token]'

/**
 * Somebody who signs for himself asks for a key, with the claims of a row. That a policy refused it is no comfort: its
 * claims were believed.
 * @param cause the check that answers for a broker that believes any token
 */
export const judgeForged = judging<Seen>(
  'status',
  'error',
)(({status, error}, {cause, released}: {cause: string | null; released: boolean}) => {
  if (error === 'TokenVerifierError') return passed('refused: the token is not one of its attestation service')
  if (error === 'PolicyDeny' || (status === 200 && released && cause !== null))
    return {...failed(`its claims were believed: ${insecure}`), ...(cause !== null && {cause})}
  if (status === 200) return failed(`released: ${insecure}`)
  if (error === 'PluginInternalError')
    return failed(`its claims were believed, and only the key is missing: ${insecure}`)
  return failed(`it cannot be told: status ${status} ${error}`)
})

/** Somebody without a token asks what only an administrator may know. */
export const judgeNoAdmin = judging<Seen>(
  'status',
  'error',
)(({status, error}) => {
  if (status === 200)
    return failed(
      'anyone may replace policy and keys; set authorization_mode in its section [admin]: the default is InsecureAllowAll',
    )
  return (status === 401 || status === 403) && error !== ''
    ? passed(`refused: ${error}`)
    : failed(`status ${status} without an error of a key broker: is this one?`)
})

/** The administrator asks for the names of the policies. */
export const judgeAdmin = judging<{status: number; text: string}>(
  'status',
  'text',
)(({status, text}) => {
  if (status !== 200) return failed(`status ${status}: the token is not that of an administrator`)
  return text.includes('"resource-policy"')
    ? passed('there is a resource policy')
    : failed('the broker names no resource policy')
})

/**
 * What kbs-client says after the broker answered 401, and names of errors of the broker where it refuses: many failures of
 * the client itself speak of attestation, too. https://github.com/confidential-containers/trustee, kbs/src/error.rs
 */
const refusedByBroker =
  /\b(request|attest) unauthorized\b|\/confidential-containers\/kbs\/errors\/(PolicyDeny|AttestationError|TokenNotFound|TokenVerifierError)"/

/** kbs-client on a machine without evidence asks for a key. Both its answers are long; the end of them counts. */
export const judgeSample = judging<{exitCode: number; said: string}>(
  'exitCode',
  'said',
)(({exitCode, said}) => {
  if (exitCode === 0) return failed('the broker released it to a machine without evidence')
  return refusedByBroker.test(said)
    ? passed('refused')
    : failed(`the broker was not asked: ${said.replace(/[^ -~]+/g, ' ').slice(-200)}`)
})
