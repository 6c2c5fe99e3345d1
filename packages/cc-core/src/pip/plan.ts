import {existsSync, statSync} from 'node:fs'

import {CcError} from '../errors/index.js'
import type {StepValue} from '../steps/index.js'
import {Credentials, variable, variablePattern} from './credentials.js'
import {identityOf} from './hash.js'
import {readPip, type PipReading, type PipSettings} from './read.js'

/** What a step that runs pip is called with. */
export interface PipPlan {
  /** The parameters that scripts/lib/pip.sh reads. */
  parameters: Record<string, StepValue>
  /** Identities of the local files that pip may take. */
  inputs: string[]
  /** What the step reads from standard input: the values of the variables, NAME=VALUE, each ended by a NUL. */
  input: string
  /** What a person should know. */
  notes: string[]
}

/** The package index as cc.yaml names it; what it leaves open is that of pip's configuration of this host. */
export interface PipRequest {
  indexUrl: string | null
  extraIndexUrls?: readonly string[]
  findLinks?: readonly string[]
}

export interface PlannedRequirements extends PipPlan {
  /** Local files and folders that pip reads, besides the file itself. */
  share: string[]
  /** Local source folders, which pip builds from a copy. */
  projects: string[]
}

/**
 * Plan the requirements of a configuration.
 * @param lines as in a requirements file
 * @param title the key of cc.yaml that has them
 * @throws E_PACKAGE for what pip cannot read; E_CONFIG for a local file, and for a variable that is not set
 */
export async function planPip(lines: readonly string[], title: string, request: PipRequest): Promise<PipPlan> {
  const reading = await readLines(lines, title)
  const [local] = [...reading.files, ...reading.archives, ...reading.folders, ...reading.projects]
  if (local !== undefined) {
    throw new CcError('E_CONFIG', `${title}: pip would look for '${local}' in the image, not on this host`, {
      suggestions: ['name wheels with flare.wheels, and folders with wheels with flare.findLinks'],
    })
  }
  const credentials = new Credentials()
  const requirement = lines.map((line) => credentials.hide(line))
  const plan = await planSettings(request, reading, credentials)
  return {...plan, parameters: {...plan.parameters, requirement}}
}

/** The same lines in the same environment are read once: starting pip takes more than a second. */
const known = new Map<string, Promise<PipReading>>()

function readLines(lines: readonly string[], title: string): Promise<PipReading> {
  const key = JSON.stringify([lines, title, process.env])
  const reading = known.get(key) ?? readPip({lines, title})
  known.set(key, reading)
  return reading
}

/**
 * Plan a requirements file of this host.
 * @param installed versions by name that must stay as they are
 * @param leaveOut folders that are not taken along with a source folder: those that the build itself writes to
 * @throws E_PACKAGE with file and line
 */
export async function planRequirements(
  file: string,
  request: PipRequest,
  {installed = {}, leaveOut = []}: {installed?: Readonly<Record<string, string>>; leaveOut?: readonly string[]} = {},
): Promise<PlannedRequirements> {
  const reading = await readPip({file}, installed)
  const {files, archives, folders, projects, remote} = reading
  const plan = await planSettings(request, reading, new Credentials())
  const within = (path: string, others: readonly string[]) => others.some((other) => path.startsWith(`${other}/`))
  const outer = projects.filter((path) => !within(path, projects))
  // What lies in a source folder is copied with it.
  const named = [...new Set([...archives, ...folders, ...files])]
    .filter((path) => path !== file && !outer.includes(path) && !within(path, [...folders, ...outer]))
    .sort()
  // The folder of the build may be that of the application, too; its parts are named then.
  const left = [...new Set(leaveOut)].filter((path) => within(path, outer))
  const identities = [file, ...named, ...outer].map((path) => identityOf(path, left))
  return {
    ...plan,
    parameters: {...plan.parameters, requirements: file, share: named, project: outer, 'leave-out': left},
    inputs: [...plan.inputs, ...remote, ...(await Promise.all(identities))],
    share: named,
    projects: outer,
  }
}

async function planSettings(
  {indexUrl, extraIndexUrls = [], findLinks = []}: PipRequest,
  {settings, variables, credentials: inFile, notes}: PipReading,
  credentials: Credentials,
): Promise<PipPlan> {
  const {taken, ignored} = settings
  const missing = findLinks.find((folder) => !isFolder(folder))
  if (missing !== undefined) {
    throw new CcError('E_CONFIG', `flare.findLinks: there is no folder '${missing}'`, {suggestions: ['check the path']})
  }
  const links = taken['find-links'] ?? []
  const folders = [...findLinks, ...links.filter(isFolder)]
  const hidden = (url: string | undefined) => (url === undefined ? undefined : credentials.hide(url))
  const index = {
    'index-url': hidden(indexUrl ?? taken['index-url']),
    'extra-index-url': [...extraIndexUrls, ...(taken['extra-index-url'] ?? [])].map((url) => credentials.hide(url)),
    'find-links-url': (taken['find-links-url'] ?? []).map((url) => credentials.hide(url)),
    proxy: hidden(taken.proxy),
  }
  const own = Object.values(index).flatMap((value) =>
    [...String(value).matchAll(variablePattern)].map(([, name]) => name),
  )
  const names = [...new Set([...variables, ...own, ...Object.keys(credentials.variables)])].filter(
    (name) => name !== undefined,
  )
  const values = names.map((name) => `${name}=${credentials.variables[name] ?? variable(name)}\0`)
  return {
    parameters: {
      ...index,
      'find-links': folders,
      'trusted-host': taken['trusted-host'],
      'no-index': taken['no-index'] === true && indexUrl === null,
      ...{cert: taken.cert, 'client-cert': taken['client-cert'], timeout: taken.timeout, retries: taken.retries},
      expand: names,
      private: inFile || Object.keys(credentials.variables).length > 0,
    },
    inputs: await Promise.all(folders.map((folder) => identityOf(folder))),
    input: values.join(''),
    notes: [...notes, ...settingNotes(taken, ignored, credentials)],
  }
}

const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory()

/** Which part of pip's configuration has an effect, and which has none. */
function settingNotes(taken: PipSettings, ignored: readonly string[], credentials: Credentials): string[] {
  const {cert: _, 'client-cert': __, timeout: ___, retries: ____, ...shown} = taken
  const words = Object.entries(shown).map(([name, value]) => `${name}=${credentials.hide([value].flat().join(' '))}`)
  const gone = (taken['find-links'] ?? []).filter((folder) => !isFolder(folder))
  return [
    ...(words.length === 0 ? [] : [`from pip's configuration of this host: ${words.join(', ')}`]),
    ...gone.map((folder) => `find-links of pip's configuration: there is no folder '${folder}'`),
    ...(ignored.length === 0
      ? []
      : [
          `pip's configuration of this host has no effect here with ${ignored.join(', ')}; put it into the requirements`,
        ]),
  ]
}
