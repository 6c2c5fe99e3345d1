import {run} from '../exec/index.js'
import type {Tool} from './requirements.js'

/** A tool of this host that is older than what is used of it; found: null where it does not say its version. */
export interface OldTool {
  tool: Tool
  found: string | null
}

/** Those of the tools that are too old. All are asked at once, each for at most half a minute. */
export async function oldTools(tools: readonly Tool[], signal?: AbortSignal): Promise<OldTool[]> {
  const asked = tools.filter(({from}) => from !== undefined)
  const all = await Promise.all(asked.map(async (tool) => ({tool, found: await versionOf(tool, signal)})))
  return all.filter(({tool, found}) => found === null || !isAtLeast(found, tool.from?.version ?? '0'))
}

/** What a tool says of its version; null where it says none. */
export async function versionOf({program, versionWord = '--version'}: Tool, signal?: AbortSignal) {
  const {stdout, stderr} = await run([program, versionWord], {check: false, timeoutMs: 30_000, ...(signal && {signal})})
  return /\d+\.\d+(\.\d+)*/.exec(`${stdout}\n${stderr}`)?.[0] ?? null
}

/** One sentence for each: what it is, what it has to be, and why. */
export function describeOld({tool: {program, from}, found}: OldTool): string {
  const is = found === null ? 'does not say its version' : `is ${found}`
  return `'${program}' ${is}, and ${from?.version ?? ''} or newer is needed for ${from?.why ?? ''}`
}

/** Compare versions number by number. */
export function isAtLeast(found: string, wanted: string): boolean {
  const [has, wants] = [found, wanted].map((version) => version.split('.').map(Number))
  for (const [index, number] of (wants ?? []).entries()) {
    const own = has?.[index] ?? 0
    if (own !== number) return own > number
  }
  return true
}
