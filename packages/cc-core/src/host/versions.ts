import {findProgram, run} from '../exec/index.js'
import {sha256File} from '../manifest/index.js'
import {tools, type Tool} from './requirements.js'

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
export async function versionOf(tool: Tool, signal?: AbortSignal): Promise<string | null> {
  return /\d+\.\d+(\.\d+)*/.exec(await versionText(tool, signal))?.[0] ?? null
}

/** Everything that a tool prints of itself: also the versions of its libraries, and how it was built. */
async function versionText({program, versionWord = '--version'}: Tool, signal?: AbortSignal): Promise<string> {
  const {stdout, stderr} = await run([program, versionWord], {check: false, timeoutMs: 30_000, ...(signal && {signal})})
  return `${stdout}\n${stderr}`
}

/**
 * The versions of the programs that write file systems, headers, tables and archives, for the identity of an image:
 * another version may write other bytes. A program that this host lacks has none.
 * @returns text by program: what it prints, or the sha256 of one that prints no version
 */
export async function writerVersions(): Promise<Record<string, string>> {
  const versions = tools.map(async (tool) => {
    const file = tool.writes === true ? findProgram(tool.program) : null
    if (file === null) return []
    const text = await versionText(tool)
    return [[tool.program, /\d\.\d/.test(text) ? text : await sha256File(file)]]
  })
  return Object.fromEntries((await Promise.all(versions)).flat()) as Record<string, string>
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
