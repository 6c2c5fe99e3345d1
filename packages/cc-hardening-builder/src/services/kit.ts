import {existsSync, statSync} from 'node:fs'
import {basename, join} from 'node:path'

import {CcError} from 'cc-core/errors'

import {readKitPorts, type KitPorts} from './kit-ports.js'
import type {Role} from './network.js'

/** The files that make the folder `startup` that of a server or of a client (nvflare/lighter, constants.py). */
const roleFiles: Readonly<Record<Role, string>> = {server: 'fed_server.json', client: 'fed_client.json'}

/** What a start-up kit of NVIDIA FLARE says of itself. */
export interface StartupKit {
  path: string
  /** Name of the participant: that of its folder. */
  site: string
  /** Null where it does not say. */
  role: Role | null
  ports: KitPorts
}

/** @throws E_CONFIG where the folder is not a start-up kit */
export function readKit(path: string): StartupKit {
  const startup = join(path, 'startup')
  if (!existsSync(startup) || !statSync(startup).isDirectory()) {
    throw new CcError('E_CONFIG', `'${path}' is not a start-up kit: it has no folder 'startup'`, {
      suggestions: ['name the folder of one participant, as nvflare provision writes it: --startup-kit DIR'],
    })
  }
  if (!['sub_start.sh', 'start.sh'].some((name) => existsSync(join(startup, name)))) {
    throw new CcError('E_CONFIG', `'${path}' is not the start-up kit of a site: it has no startup/start.sh`, {
      suggestions: ['name the kit of a server or a client; an administrator has none that runs in an image'],
    })
  }
  const roles = (['server', 'client'] as const).filter((role) => existsSync(join(startup, roleFiles[role])))
  return {path, site: basename(path), role: roles.length === 1 ? (roles[0] ?? null) : null, ports: readKitPorts(path)}
}
