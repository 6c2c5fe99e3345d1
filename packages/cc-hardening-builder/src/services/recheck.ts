import type {Config, KeySource} from 'cc-core/config'
import {CcError} from 'cc-core/errors'

/** Attestation that goes on while the machine runs. */
export interface Recheck {
  /** Time between two rounds, in seconds; 0: never. */
  seconds: number
  /** Who judges: the key broker, or the guest itself with what its processor and GPUs say. */
  ask: ('kbs' | 'cpu' | 'gpu')[]
  /** How many refusals end it. */
  failures: number
  /** How many rounds in which nobody was reached end it; 0: any number. */
  networkFailures: number
  /** TCP port of who is asked outside; null where nobody is. */
  port: number | null
}

const defaultSeconds = 15 * 60

/**
 * What of an image is attested again.
 * @param key the key source of its root and its site
 * @throws E_CONFIG where it is asked for, and there is nobody to ask
 */
export function planRecheck(
  {profile, attestation, nvidia, kbs}: Pick<Config, 'profile' | 'attestation' | 'nvidia' | 'kbs'>,
  key: KeySource,
): Recheck {
  const {every, failures, networkFailures} = attestation.recheck
  // The broker sees the processor's evidence; without one the guest looks at least whether there still is any.
  const processor = key === 'kbs' ? (['kbs'] as const) : attestation.enabled ? (['cpu'] as const) : []
  const ask = [...processor, ...(attestation.enabled && nvidia.enabled ? (['gpu'] as const) : [])]
  if (ask.length === 0 && every !== null && every !== 'never') {
    throw new CcError('E_CONFIG', `attestation.recheck.every: there is nobody to ask every ${every} s`, {
      suggestions: [
        "use the key source 'kbs', or build the base image with attestation.enabled",
        'attestation.recheck.every: never',
      ],
    })
  }
  const byDefault = profile === 'production' && ask.length > 0 ? defaultSeconds : 0
  const seconds = every === 'never' ? 0 : (every ?? byDefault)
  const port = seconds > 0 && key === 'kbs' && kbs.url !== null ? Number(new URL(kbs.url).port || 443) : null
  return {seconds, ask, failures, networkFailures: networkFailures ?? 0, port}
}

/** The lines of site.conf that say so. */
export const recheckConf = ({seconds, ask, failures, networkFailures}: Recheck): Record<string, string> =>
  seconds === 0
    ? {recheck: '0'}
    : {
        recheck: String(seconds),
        'recheck-ask': ask.join(' '),
        'recheck-failures': String(failures),
        'recheck-network-failures': String(networkFailures),
      }
