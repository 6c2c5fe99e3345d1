import {z} from 'zod'

import {CcError} from '../errors/index.js'

const marker = 'CC-BOOT '

const partition = z.object({
  name: z.string(),
  state: z.enum(['encrypted', 'plain', 'locked']),
  mount: z.string(),
  integrity: z.string(),
  /** Size of the file system; 0 where there is none. */
  bytes: z.int().nonnegative(),
})

/** What scripts/guest/cc/boot-check says on the console when everything is open. It may say more in a later version. */
const bootReport = z.object({
  version: z.literal(1),
  profile: z.string(),
  kernel: z.string(),
  hostname: z.string(),
  locale: z.string(),
  timezone: z.string(),
  /** Since the kernel started. */
  seconds: z.number(),
  swap: z.boolean(),
  partitions: z.array(partition),
  tmpfs: z.array(z.string()),
})

export type BootReport = z.output<typeof bootReport>

const settledMarker = 'CC-SETTLED '

/** What scripts/guest/cc/boot-settled says when every unit of the boot has started or failed. */
const settledReport = z.object({
  version: z.literal(1),
  /** Of `systemctl is-system-running`: running, or degraded where a unit failed. */
  state: z.string(),
  failedUnits: z.array(z.string()),
})

export type SettledReport = z.output<typeof settledReport>

/** Whether a line of the console is a boot report. */
export const isBootReport = (line: string): boolean => line.startsWith(`${marker}{`)

/** Whether a line of the console says that the boot has come to its end. */
export const isSettledReport = (line: string): boolean => line.startsWith(`${settledMarker}{`)

/**
 * Read what a guest says at the end of its boot.
 * @param lines the console
 * @returns nothing of a console without such a line, or with one that is cut or malformed
 */
export function readSettledReport(lines: readonly string[]): Partial<SettledReport> {
  const line = lines.find(isSettledReport)
  if (line === undefined) return {}
  try {
    return settledReport.safeParse(JSON.parse(line.slice(settledMarker.length))).data ?? {}
  } catch {
    return {}
  }
}

/**
 * Read the boot report of a guest.
 * @throws E_IMAGE where the line is none, naming what is wrong with it
 */
export function parseBootReport(line: string): BootReport {
  const wrong = (what: string) =>
    new CcError('E_IMAGE', `the boot report of the guest ${what}: '${line.slice(0, 200)}'`)
  let json: unknown
  try {
    json = JSON.parse(line.slice(marker.length))
  } catch {
    throw wrong('is not JSON')
  }
  const result = bootReport.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw wrong(`has no valid '${issue?.path.join('.') ?? ''}' (${issue?.message ?? ''})`)
}

/**
 * What of a boot report can be used, field by field: one that is malformed says nothing about the others.
 * @returns nothing for a line that is no JSON object
 */
export function readBootReport(line: string): Partial<BootReport> {
  let json: unknown
  try {
    json = JSON.parse(line.slice(marker.length))
  } catch {
    return {}
  }
  if (typeof json !== 'object' || json === null) return {}
  const fields = Object.entries(bootReport.shape).map(
    ([name, field]) => [name, field.safeParse((json as Record<string, unknown>)[name])] as const,
  )
  return Object.fromEntries(fields.flatMap(([name, {success, data}]) => (success ? [[name, data]] : [])))
}
