import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'
import type {EvidenceRow} from 'cc-core/trustee'

/** What a policy says to a row of the table of evidence. */
export type PolicyAnswer = 'released' | 'refused' | `error: ${string}`

/**
 * Ask a policy with a program that has the words of `opa eval`.
 * @param scratch an existing folder for what the program reads
 */
export async function askPolicy(
  {program, policy, scratch, signal}: {program: string; policy: string; scratch: string; signal: AbortSignal},
  {id, data, input}: EvidenceRow,
): Promise<PolicyAnswer> {
  const [dataFile, inputFile] = [join(scratch, `${id}.data.json`), join(scratch, `${id}.input.json`)]
  await writeFile(dataFile, JSON.stringify(data))
  await writeFile(inputFile, JSON.stringify(input))
  const words = ['eval', '--format', 'json', '--data', policy, '--data', dataFile, '--input', inputFile]
  const {exitCode, stdout, stderr} = await run([program, ...words, 'data.policy.allow'], {
    ...{signal, check: false, collect: true, timeoutMs: 60_000},
  })
  if (exitCode !== 0) return `error: ${(stderr || stdout).replace(/[^ -~]+/g, ' ').slice(-200)}`
  return parseAnswer(stdout)
}

/** What `opa eval --format json` prints; undefined is a no, as it is for the broker. */
export function parseAnswer(text: string): PolicyAnswer {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return `error: the engine printed no JSON: ${text.slice(0, 100)}`
  }
  if (typeof parsed !== 'object' || parsed === null || 'errors' in parsed) return `error: ${text.slice(0, 200)}`
  const {result} = parsed as {result?: {expressions?: {value?: unknown}[]}[]}
  if (result === undefined) return 'refused'
  const value = result[0]?.expressions?.[0]?.value
  if (typeof value !== 'boolean') return `error: the policy says neither true nor false: ${text.slice(0, 100)}`
  return value ? 'released' : 'refused'
}
