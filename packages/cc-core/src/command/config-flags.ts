import {Flags} from '@oclif/core'

import {checkSecurity, loadConfig, type Config} from '../config/index.js'
import {checkLayout} from '../layout/index.js'
import {globalGroup} from './base.js'
import {names} from './path-flags.js'

/** The flags that choose a configuration. */
export const configFlags = {
  config: names(
    {kind: 'file'},
    Flags.string({
      summary: 'Configuration file; without it the documented defaults.',
      helpGroup: globalGroup,
      helpValue: 'FILE',
    }),
  ),
  set: Flags.string({
    summary: 'Change one key of the configuration; may be repeated.',
    helpGroup: globalGroup,
    helpValue: 'KEY.KEY=VALUE',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'print-config': Flags.boolean({
    summary: 'Print the configuration that is in force, and do nothing else.',
    helpGroup: globalGroup,
  }),
}

/**
 * The configuration of --config and --set, checked.
 * @param overrides values of a command's own flags by their key; undefined ones are left out
 * @throws E_CONFIG, E_LAYOUT
 */
export function configOf(
  flags: {config?: string | undefined; set?: readonly string[] | undefined},
  overrides: Readonly<Record<string, unknown>> = {},
): Config {
  const own = Object.entries(overrides).flatMap(
    ([key, value]) => (value === undefined ? [] : [`${key}=${JSON.stringify(value)}`]), // JSON is YAML.
  )
  const config = loadConfig(flags.config ?? null, [...(flags.set ?? []), ...own])
  checkLayout(config)
  checkSecurity(config)
  return config
}
