import {existsSync} from 'node:fs'

import type {Config} from 'cc-core/config'
import {CcError} from 'cc-core/errors'

import {readKit, type StartupKit} from './kit.js'
import {outputPlace} from './layout.js'
import {recheckConf, type Recheck} from './recheck.js'
import {allowLists, missingRules, networkProblems, showRule, type AllowLists, type Role} from './network.js'

/** One site: what differs between two images that are sealed from the same tree. */
export interface Site {
  name: string
  role: Role
  lists: AllowLists
  kit: StartupKit | null
  /** What a person should know: which ports of the kit were added to the lists. */
  notes: string[]
  /** What the guest is told: the lines of site.conf. */
  conf: string[]
  inputKey: string | null
  outputKey: string | null
}

const noRecheck: Recheck = {seconds: 0, ask: [], failures: 1, networkFailures: 1, port: null}

/**
 * What a configuration says of a site, checked.
 * @throws E_CONFIG that names every contradiction
 */
export function planSite({hardening}: Config, recheck = noRecheck): Site {
  const kit = hardening.startupKit === null ? null : readKit(hardening.startupKit)
  const role = hardening.role ?? kit?.role ?? null
  if (role === null) {
    throw new CcError('E_CONFIG', 'hardening.role: a site is a client or a server, and nothing says which', {
      suggestions: ['--role client, or --role server'],
    })
  }
  const {inbound, outbound} = allowLists(hardening.network, role, kit?.ports)
  const added = missingRules(outbound, recheck.port === null ? [] : [recheck.port])
  const lists = {inbound, outbound: [...outbound, ...added]}
  const problems = [...networkProblems(lists), ...mountProblems(hardening.mounts, role), ...kitProblems(kit, role)]
  if (problems.length > 0) {
    throw new CcError('E_CONFIG', problems.join('; '), {
      suggestions: ['see docs/usage/nvflare_cc_hardening_builder.md'],
    })
  }
  const name = hardening.site ?? kit?.site ?? role
  const {inputKey, outputKey} = hardening.mounts
  const notes = [
    ...addedPorts(hardening.network, kit),
    ...added.map(
      (rule) =>
        `hardening.network.outbound: the key broker is asked by ${showRule(rule)} while the machine runs, so this rule was added`,
    ),
  ]
  const conf = siteConf(hardening, {name, role, lists, recheck})
  return {name, role, lists, kit, notes, inputKey, outputKey, conf}
}

function mountProblems({output, inputKey, outputKey}: Config['hardening']['mounts'], role: Role): string[] {
  const problems: string[] = []
  const refuse = (key: string, reason: string) => problems.push(`hardening.mounts.${key}: ${reason}`)
  if (role === 'client' && output !== null) refuse('output', `a client has no output, got '${output}'`)
  if (role === 'client' && outputKey !== null) refuse('outputKey', `a client has no output disk, got '${outputKey}'`)
  if (role === 'server' && inputKey !== null) refuse('inputKey', `a server has no input disk, got '${inputKey}'`)
  for (const [key, file] of Object.entries({inputKey, outputKey}))
    if (file !== null && !existsSync(file)) refuse(key, `there is no file '${file}'`)
  return problems
}

function addedPorts(network: Config['hardening']['network'], kit: StartupKit | null): string[] {
  if (kit === null) return []
  return (['inbound', 'outbound'] as const).flatMap((name) =>
    missingRules(network[name] ?? [], network[name] === null ? [] : kit.ports[name]).map(
      (rule) => `hardening.network.${name}: the start-up kit needs ${showRule(rule)}, so this rule was added`,
    ),
  )
}

const kitProblems = (kit: StartupKit | null, role: Role): string[] =>
  kit?.role == null || kit.role === role
    ? []
    : [`hardening.role: '${role}', but ${kit.path} is the kit of a ${kit.role}`]

/** site.conf: the guest's side is scripts/guest/opt-flare/lib/site.sh, which lists the keys and refuses any other. */
function siteConf(
  hardening: Config['hardening'],
  {name, role, lists, recheck}: {name: string; role: Role; lists: AllowLists; recheck: Recheck},
): string[] {
  const {network, mounts, workspace, logs} = hardening
  const input = role === 'client' ? mounts.input : ''
  const values = {
    version: '1',
    site: name,
    role,
    inbound: lists.inbound.map(showRule).join(' '),
    outbound: lists.outbound.map(showRule).join(' '),
    resolvers: network.resolvers.join(' '),
    hosts: Object.entries(network.hosts)
      .map(([host, address]) => `${host}=${address}`)
      .join(' '),
    workspace,
    logs,
    input,
    'input-key': mounts.inputKey === null ? 'no' : 'yes',
    output: outputPlace(hardening, role) ?? '',
    'output-key': mounts.outputKey === null ? 'no' : 'yes',
    ...recheckConf(recheck),
  }
  return Object.entries(values).map(([key, value]) => `${key}=${value}`)
}
