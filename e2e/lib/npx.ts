import type {RunResult} from 'cc-core/exec'

import {folder, runAsUser} from './lab.js'
import type {Registry} from './registry.js'

/** The names that the documents tell people to give to npx. */
export const npxNames = ['cc-image-installer', 'nvflare-cc-builder', 'nvflare_cc_hardening_builder'] as const

/**
 * Make a function that runs a bare npx as the test user in a folder, with a home that is empty at first.
 * @param home name of the folder that is made for it
 */
export function npxOf({url}: Registry, home: string): (words: readonly string[], cwd: string) => Promise<RunResult> {
  const env = {HOME: folder(home), npm_config_registry: url}
  return (words, cwd) => runAsUser(['npx', ...words], {cwd, env, timeoutMs: 3_600_000})
}
