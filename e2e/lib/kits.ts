import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {parseConfig} from 'cc-core/config'

import {folder, runAsUser} from './lab.js'
import {giveToUser} from './user.js'

/**
 * One server and one client; builders as `nvflare provision` itself writes them into a new project file.
 * @param more further keys of a participant, by its name
 */
export const projectFile = (
  server: string,
  client: string,
  more: Readonly<Record<string, string>> = {},
) => `api_version: 3
name: e2e
description: federation of the tests
participants:
  - {name: ${server}, type: server, org: tests, fed_learn_port: 8002, admin_port: 8003${also(more[server])}}
  - {name: ${client}, type: client, org: tests${also(more[client])}}
  - {name: admin@tests.example, type: admin, org: tests, role: project_admin}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
    args: {template_file: master_template.yml}
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args:
      config_folder: config
      overseer_agent:
        path: nvflare.ha.dummy_overseer_agent.DummyOverseerAgent
        overseer_exists: false
        args: {sp_end_point: "${server}:8002:8003"}
  - path: nvflare.lighter.impl.cert.CertBuilder
  - path: nvflare.lighter.impl.signature.SignatureBuilder
`

const also = (keys: string | undefined) => (keys === undefined ? '' : `, ${keys}`)

/** A virtual environment with NVIDIA FLARE, in a folder of the test user. */
export async function flareVenv(root: string): Promise<string> {
  const venv = join(root, 'venv')
  // That of the system: one of another user's is not for the user of the tests.
  await succeed(['/usr/bin/python3', '-m', 'venv', venv])
  await succeed([join(venv, 'bin/pip'), 'install', '--quiet', ...parseConfig({}).flare.requirements])
  return venv
}

async function succeed(argv: string[]): Promise<void> {
  const {exitCode, stdout, stderr} = await runAsUser(argv, {timeoutMs: 900_000})
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stdout.slice(-1000)}${stderr.slice(-1000)}`)
}

/** Start-up kits as the real `nvflare provision` makes them: folders by the name of the participant. */
export async function provision(name: string, server: string, client: string): Promise<(site: string) => string> {
  const root = folder(name)
  writeFileSync(join(root, 'project.yml'), projectFile(server, client))
  giveToUser(root)
  const venv = await flareVenv(root)
  await succeed([
    join(venv, 'bin/nvflare'),
    'provision',
    '-p',
    join(root, 'project.yml'),
    '-w',
    join(root, 'workspace'),
  ])
  return (site) => join(root, 'workspace/e2e/prod_00', site)
}

/** A start-up kit of no role, whose program is a shell script. */
export function standInKit(path: string, program: string): string {
  for (const part of ['startup', 'local']) mkdirSync(join(path, part), {recursive: true})
  writeFileSync(join(path, 'startup/sub_start.sh'), `#!/bin/bash\n${program}exec sleep infinity\n`, {mode: 0o755})
  return path
}
