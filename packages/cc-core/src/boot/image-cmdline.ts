import type {Config} from '../config/index.js'
import {kernelCommandLine} from '../cmdline/index.js'

/** The kernel command line of an image, by its stage and what it was made from. */
export function imageCommandLine({
  stage,
  config: {boot, profile, hardening},
}: {
  stage: 'base' | 'flare' | 'hardened'
  config: Pick<Config, 'boot' | 'profile' | 'hardening'>
}): string {
  const hardened = {lockdown: hardening.lockdown, production: profile === 'production'}
  const extra = boot.cmdline
  return kernelCommandLine({console: boot.console, extra, hardened: stage === 'hardened' ? hardened : undefined})
}
