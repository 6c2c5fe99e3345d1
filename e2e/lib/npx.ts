import type {RunResult} from 'cc-core/exec'

import {folder, runAsUser} from './lab.js'
import type {Registry} from './registry.js'

/** The names that the documents tell people to give to npx. */
export const npxNames = ['cc-image-installer', 'nvflare-cc-builder', 'nvflare_cc_hardening_builder'] as const

/**
 * Make a function that runs a bare npx as the test user, whose home is empty at first.
 * @param name of the folders that are made: the home, and the working directory of each run
 */
export function npxOf({url}: Registry, name: string): (words: readonly string[]) => Promise<RunResult & {cwd: string}> {
  const home = folder(`${name}-home`)
  let runs = 0
  return async (words) => {
    const cwd = folder(`${name}-${++runs}`)
    const env = {HOME: home, npm_config_registry: url}
    return {...(await runAsUser(['npx', ...words], {cwd, env, timeoutMs: 3_600_000})), cwd}
  }
}
