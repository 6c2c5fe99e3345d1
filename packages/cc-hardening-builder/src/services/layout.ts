import type {Config, KeySource, Layout} from 'cc-core/config'
import {CcError} from 'cc-core/errors'

import type {Role} from './network.js'

/** Where a server has its output when nothing is configured. */
export const defaultOutput = '/mnt/data/nvflare/output'

/**
 * The layout of a hardened image, out of that of the FLARE image: a root that is verified and never written, content of
 * the site that is verified and encrypted, and the rest of the disk for the workspace.
 */
export function hardenedLayout(config: Config, role: Role, key: KeySource): Layout {
  const {layout, hardening} = config
  const partitions = layout.partitions
  const root = partitions['cc-root']
  const app = partitions['cc-app']
  const ro = partitions['cc-ro']
  if (root === undefined || app === undefined || ro?.from == null) {
    throw new CcError('E_LAYOUT', "a hardened image needs 'cc-root', 'cc-app' and a 'cc-ro' that is filled", {
      suggestions: ['build the base image with the default partitions'],
    })
  }
  const out = partitions['cc-out']
  const {'cc-out': _, ...rest} = partitions
  const grows = Object.entries(partitions).some(([name, partition]) => partition.grow && name !== 'cc-root')
  const changed: Layout['partitions'] = {
    ...rest,
    'cc-root': {
      ...{...root, encryption: 'luks2', integrity: 'verity', key, keyFile: null, grow: false},
      ...{filesystem: hardening.rootFilesystem, compressionLevel: hardening.rootCompressionLevel},
    },
    'cc-app': {...app, mount: `/${hardening.workspace.split('/')[1] ?? ''}`, grow: app.grow || !grows},
    'cc-ro': {...ro, encryption: 'luks2', integrity: 'verity', key, keyFile: null},
  }
  // A client gives nothing away: it has no output.
  if (role === 'server' && out !== undefined)
    changed['cc-out'] = {...out, mount: hardening.mounts.output ?? defaultOutput}
  return {...layout, partitions: changed}
}

/** Where the output of a server is; null for a client. */
export const outputPlace = ({mounts}: Config['hardening'], role: Role): string | null =>
  role === 'server' ? (mounts.output ?? defaultOutput) : null
