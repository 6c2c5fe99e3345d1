import {readdir} from 'node:fs/promises'
import {join} from 'node:path'

import {configJsonSchema, configReference} from 'cc-core/config'
import {codes, exits} from 'cc-core/errors'
import {oldest, tools} from 'cc-core/host'
import {readContract, type StepContract, type StepParameter} from 'cc-core/steps'
import {format} from 'prettier'

import {generateReadmes} from './command-help.js'
import {repository, type Document} from './repository.js'

/** Every generated document, as it is to be committed. */
export async function generateDocuments(): Promise<Document[]> {
  return [
    await markdown('docs/configuration.md', 'packages/cc-core/src/config', configuration()),
    await markdown('docs/errors.md', 'packages/cc-core/src/errors/codes.ts', errors()),
    await markdown('docs/host-tools.md', 'packages/cc-core/src/host/requirements.ts', hostTools()),
    await markdown('docs/steps.md', 'the headers of the scripts', steps(await findSteps())),
    {path: 'docs/cc.schema.json', text: await format(schema(), {parser: 'json'})},
    ...(await generateReadmes()),
  ]
}

async function markdown(path: string, source: string, body: string): Promise<Document> {
  const [title = '', ...rest] = body.split('\n')
  const note = `Generated from ${source} by \`npm run docs\`; do not edit.`
  // Tables stay as they are: padded to the width of their longest cell nobody could read them.
  const lines = rest
    .join('\n')
    .replaceAll(/(?:^\|.*\n)+/gm, (table) => `${ignore('start')}\n${table}\n${ignore('end')}\n`)
  return {path, text: await format(`${title}\n\n${note}\n${lines}`, {parser: 'markdown'})}
}

const ignore = (end: 'start' | 'end') => `<!-- prettier-ignore-${end} -->\n`

function schema(): string {
  const note = 'Generated from packages/cc-core/src/config by npm run docs; do not edit.'
  return JSON.stringify({$comment: note, ...configJsonSchema()})
}

function configuration(): string {
  return `# Configuration

The configuration is one YAML file, given with \`--config FILE\`. A key that is left out has its default.
\`--set KEY.KEY=VALUE\` changes one key; it may be repeated, and it takes precedence over the file. \`--print-config\` shows
the effective configuration.

A wrong file is refused before anything is written, with all of its problems at once. Relative paths in the file are
relative to the folder of the file; those in \`--set\` are relative to the working directory. Editors can check the file
with [cc.schema.json](cc.schema.json): put this line at its top, with your path of the schema.

\`\`\`yaml
# yaml-language-server: $schema=docs/cc.schema.json
\`\`\`

A size is a number of bytes, or ends in K, M, G or T: powers of 1024. \`20G\`, \`20g\`, \`20GB\`, \`20GiB\` and \`20 GiB\` are
the same size. A bit mask is hexadecimal or decimal. \`<name>\` stands for the name of a partition.

${configReference()}`
}

function errors(): string {
  const rows = Object.entries(codes).map(([code, {exit, meaning}]) => [`\`${code}\``, String(exit), meaning])
  return `# Errors

A command that fails prints one line \`error[CODE]: what was wrong\` and lines \`  try: what to do\` on standard error. With
\`--json\` it prints \`{"error": {"code", "message", "exitCode", "suggestions"}}\` on standard output. Codes and exit statuses
are stable; the texts are not.

A step that fails prints the same lines and exits with 1. The exit status of the command depends on the code.

${table(['Code', 'Exit', 'Meaning'], rows)}
Exit statuses: 0 success, ${exits.bug} our bug, ${exits.usage} usage or configuration, ${exits.host} the host lacks something,
${exits.input} bad input, ${exits.step} a step failed, ${exits.space} no space, ${exits.check} a check of the image failed. After a signal the exit
status is 128 plus its number: ${exits.interrupted} for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
`
}

function hostTools(): string {
  const rows = tools.map(({program, package: name, for: purposes, from}) => [
    `\`${program}\``,
    `\`${name}\``,
    purposes.join(', '),
    from?.version ?? '',
    from?.why ?? '',
  ])
  return `# Programs of the host

This table lists the programs that the commands call, and the Debian and Ubuntu packages that contain them.
\`cc-image-test host\` checks all programs and their versions, and every build does so before it starts; the error is
\`E_HOST_TOOL\`. If no version is given, every release since Debian 11 has a sufficient one. Node.js must be
${oldest.node} or newer.

${table(['Program', 'Package', 'For', 'From', 'What needs it'], rows)}`
}

/** A step with the folder that it is in. */
export interface GroupedStep {
  group: string
  contract: StepContract
}

const meaning: Record<string, string> = {
  source: 'Get the operating system from an ISO or a package mirror.',
  base: 'Turn a bare system into the base image, in this order.',
  flare: 'Turn a base image into the FLARE image.',
  hardening: 'Turn a FLARE image into the hardened image.',
  disk: 'From a tree to a disk and back: seal and open.',
  boot: 'Make the boot files of the ESP, and compute the expected launch digest.',
  tree: 'Save, restore, list and remove a tree.',
  attack: 'Add a probe to a copy of a hardened image, for cc-image-test hardened.',
}

/** Folders of scripts that hold no steps: shared code, files of the guest and of the host that runs it, helpers of the tests. */
const noSteps = ['lib', 'guest', 'host', 'test', 'node_modules']

/** Every script that is a step, in the order of the folders above; new folders follow. */
export async function findSteps(): Promise<GroupedStep[]> {
  const scripts = join(repository, 'scripts')
  const folders = (await readdir(scripts, {withFileTypes: true}))
    .filter((entry) => entry.isDirectory() && !noSteps.includes(entry.name))
    .map(({name}) => name)
  const known = Object.keys(meaning)
  const place = (group: string) => (known.includes(group) ? known.indexOf(group) : known.length)
  folders.sort((a, b) => place(a) - place(b) || a.localeCompare(b))
  const found: GroupedStep[] = []
  for (const group of folders) {
    const names = (await readdir(join(scripts, group))).filter((name) => name.endsWith('.sh')).sort()
    for (const name of names) found.push({group, contract: await readContract(join(scripts, group, name))})
  }
  return found
}

function steps(found: readonly GroupedStep[]): string {
  const groups = [...new Set(found.map(({group}) => group))]
  const explained = groups.map((group) => `- \`${group}\`: ${meaning[group] ?? ''}\n`).join('')
  const rows = found.map(({group, contract}) => [
    `\`${group}/${contract.name}\``,
    contract.purpose,
    contract.parameters.map(parameter).join('<br>'),
    inputs(contract),
    contract.output,
    contract.runsIn,
    contract.network,
  ])
  return `# Steps

A step is one bash script in \`scripts/\` with one purpose. The comment at its head is its contract. This table is made
from those comments. \`--help\` prints the same comment, and every call is checked against it.

${explained}
How to read the table:

- A parameter in brackets is optional; one with \`...\` may be repeated. DIR and FILE must exist, PATH need not; all three are
  absolute. NUMBER is decimal digits, SIZE is bytes, FLAG takes no value, every other word is any text.
- Inputs are the parameters that name something that must exist. A step with \`--tree DIR\` changes that tree.
- \`namespace\`: the script enters a user namespace itself, in which it is root over the subordinate IDs of the caller. As
  root it needs no user namespace.
- Of the caller's environment, a step reads only \`PATH\`, \`TMPDIR\` and the usual proxy variables.
- A step that fails prints \`error[CODE]: …\` as its first line on standard error, and exits with 1. Codes are in
  [errors.md](errors.md).

Run one by hand with the command that \`--dry-run\` prints; [debugging.md](debugging.md) shows how.

${table(['Step', 'What it does', 'Parameters', 'Inputs', 'Output', 'Runs in', 'Network'], rows)}`
}

function parameter({name, word, required, repeatable, description}: StepParameter): string {
  const text = word === 'FLAG' ? `--${name}` : `--${name} ${word}`
  return `\`${required ? text : `[${text}]`}${repeatable ? '...' : ''}\` ${description}`
}

function inputs({parameters}: StepContract): string {
  const names = parameters.filter(({word}) => word === 'DIR' || word === 'FILE').map(({name}) => `\`--${name}\``)
  return names.length === 0 ? 'none' : names.join(', ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return [head, head.map(() => '---'), ...rows].map(line).join('')
}
