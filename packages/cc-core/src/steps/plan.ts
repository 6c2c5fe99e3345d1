import {createHash} from 'node:crypto'
import {readFile, readdir} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {CcError} from '../errors/index.js'
import {readContract, type StepContract} from './contract.js'

/** The value of a parameter; true for a FLAG, undefined for one that is left out. */
export type StepValue = string | number | readonly string[] | boolean | undefined

/** A step with its parameters: what --dry-run prints and what runs are the same words. */
export interface PlannedStep {
  /** Folder and name, for example "base/20-locale". */
  id: string
  contract: StepContract
  argv: readonly string[]
  /** Identities of what the step reads besides its parameters, for example the sha256 of a file. */
  inputs: readonly string[]
  /** Keep a copy of the tree behind this step. */
  checkpoint: boolean
  /** What it reads from standard input: what is secret. It is neither shown nor logged, and no part of its key. */
  input?: string
  /** What a person should know before it runs. */
  notes?: readonly string[]
}

export interface StepOptions {
  inputs?: readonly string[]
  checkpoint?: boolean
  input?: string
  notes?: readonly string[]
}

/** The folder of the steps: the package cc-scripts, wherever npm put it. */
export function scriptsDirectory(): string {
  return dirname(fileURLToPath(import.meta.resolve('cc-scripts/package.json')))
}

/**
 * Plan one step: check the parameters against its contract and write down the command.
 * @param id folder and name below the scripts folder
 * @throws E_BUG for a parameter that the contract does not have, or one that is missing
 */
export async function planStep(
  id: string,
  parameters: Readonly<Record<string, StepValue>>,
  {inputs = [], checkpoint = false, input = '', notes = []}: StepOptions = {},
): Promise<PlannedStep> {
  const script = join(scriptsDirectory(), `${id}.sh`)
  const contract = await readContract(script)
  const argv = ['bash', script]
  for (const [name, value] of Object.entries(parameters)) {
    const known = contract.parameters.find((parameter) => parameter.name === name)
    if (known === undefined) throw new CcError('E_BUG', `the step ${id} has no parameter --${name}`)
    if (Array.isArray(value) && !known.repeatable) throw new CcError('E_BUG', `${id}: --${name} cannot be repeated`)
    argv.push(...words(name, value))
  }
  for (const {name, required} of contract.parameters) {
    if (required && !argv.includes(`--${name}`)) throw new CcError('E_BUG', `the step ${id} needs --${name}`)
  }
  return {id, contract, argv, inputs, checkpoint, input, notes}
}

function words(name: string, value: StepValue): string[] {
  if (value === undefined || value === false) return []
  if (value === true) return [`--${name}`]
  const values = typeof value === 'object' ? value : [String(value)]
  return values.flatMap((item) => [`--${name}`, item])
}

/**
 * Folders of shell code that decide the bytes of any tree: what steps share, what opens an ISO or an image, and what
 * saves and restores copies of trees.
 */
const sharedCode = ['lib', 'source', 'disk', 'tree']

/**
 * The content hash after the origin and after each step: its script, the shared shell code, its parameters, its inputs
 * and all that was before it. Two builds with the same key at a step have the same tree there.
 * @param origin identity of the tree before the first step
 * @param workDir text that is no part of the identity: the path of the work folder
 */
export async function stepKeys(steps: readonly PlannedStep[], origin: string, workDir: string): Promise<string[]> {
  const shared = await Promise.all(sharedCode.map((name) => hashFolder(join(scriptsDirectory(), name))))
  let key = createHash('sha256')
    .update(JSON.stringify([origin, shared]))
    .digest('hex')
  const keys = [key]
  for (const step of steps) {
    const words = step.argv.slice(2).map((word) => word.replaceAll(workDir, ''))
    const hash = createHash('sha256').update(JSON.stringify([key, step.id, words, step.inputs]))
    key = hash.update(await readFile(step.argv[1] ?? '')).digest('hex')
    keys.push(key)
  }
  return keys
}

/** The sha256 over the names and bytes of all files below a folder. */
export const hashFolder = (folder: string): Promise<string> => hashFiles(folder, () => true)

/**
 * The same for some of the files.
 * @param keep which files count, by their names below the folder
 */
export async function hashFiles(folder: string, keep: (name: string) => boolean): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await filesBelow(folder)).filter(keep).sort()) {
    const bytes = await readFile(pathBelow(folder, name))
    hash.update(`${name}\0${bytes.length}\0`, 'latin1').update(bytes)
  }
  return hash.digest('hex')
}

/** Names as Latin-1, one character for each byte: a name that is not UTF-8 would be that of no file otherwise. */
async function filesBelow(folder: string, name = ''): Promise<string[]> {
  const entries = await readdir(pathBelow(folder, name), {withFileTypes: true, encoding: 'latin1'})
  const found: string[] = []
  for (const entry of entries) {
    const inner = `${name}/${entry.name}`
    if (entry.isDirectory()) found.push(...(await filesBelow(folder, inner)))
    else if (entry.isFile()) found.push(inner)
  }
  return found
}

const pathBelow = (folder: string, name: string) => Buffer.concat([Buffer.from(folder), Buffer.from(name, 'latin1')])
