/** A flag of oclif, as far as its variable goes. */
interface Variable {
  env?: string
  multiple?: boolean
}

/**
 * Give each flag a variable of the environment, for whoever cannot pass flags: CC_WORK_DIR for --work-dir. A flag that
 * may be repeated has none, since nothing says where one value ends.
 * @returns the same flags
 */
export function withEnvironment<T extends object>(flags: T): T {
  for (const [name, flag] of Object.entries(flags as Record<string, Variable>))
    if (flag.multiple !== true) flag.env = `CC_${name.replaceAll('-', '_').toUpperCase()}`
  return flags
}
