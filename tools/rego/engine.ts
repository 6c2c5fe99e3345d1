import {execFileSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const target = join(repository, 'node_modules/.cache/cc-rego')

/** A question to a policy: a row of the table of evidence. */
export interface Question {
  policy: string
  data: unknown
  input: unknown
}

let built: string | undefined

/** The engine of Trustee's key broker (tools/rego), which is built on first use. */
export const regoProgram = (): string => (built ??= build())

function build(): string {
  const own = join(homedir(), '.cargo/bin/cargo')
  const cargo = existsSync(own) ? own : 'cargo'
  const words = ['build', '--release', '--locked', '--quiet', '--target-dir', target]
  try {
    execFileSync(cargo, [...words, '--manifest-path', join(repository, 'tools/rego/Cargo.toml')], {stdio: 'pipe'})
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`tools/rego could not be built; it needs Rust 1.85 or newer (https://rustup.rs): ${text}`, {
      cause: error,
    })
  }
  return join(target, 'release/cc-rego')
}

/** What the engine says: whether the key is released. An error of the policy is a no with its reason. */
export function ask(questions: readonly Question[]): (boolean | {error: string})[] {
  const options = {input: JSON.stringify(questions), maxBuffer: 64 * 1024 * 1024}
  return JSON.parse(execFileSync(regoProgram(), options).toString()) as (boolean | {error: string})[]
}
