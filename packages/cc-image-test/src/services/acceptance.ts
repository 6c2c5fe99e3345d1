import {existsSync} from 'node:fs'
import {mkdir} from 'node:fs/promises'

import {parseConfig} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {readImageDirectory} from 'cc-core/manifest'
import {runChecks, type Report} from 'cc-core/report'
import {usesKbs} from 'cc-core/seal'
import type {Reporter} from 'cc-core/ui'

import {acceptanceChecks} from '../checks/acceptance.js'

/** What a user named; all paths are absolute, null where nothing was named. */
export interface AcceptanceOptions {
  image: string
  /** The broker; null: that of the image. */
  url: string | null
  ca: string | null
  adminToken: string | null
  successor: string | null
  /** PCI address of a GPU. */
  gpu: string | null
  /** nvidia_gpu_tools.py, which sets the confidential mode of a GPU. */
  gpuAdminTools: string | null
  ovmf: string | null
  qemu: string | null
  network: string
  /** Checks by id; none: all. */
  only: readonly string[]
  workDir: string
  timeoutMs: number
  /** How long a machine that came up is watched on. */
  lingerMs: number
}

/**
 * The acceptance tests on the host that an image is for.
 * @throws E_IMAGE for an image that is not hardened, E_USAGE for what is missing or wrong, E_INTERRUPTED
 */
export async function testAcceptance(
  options: AcceptanceOptions,
  {reporter, signal}: {reporter: Reporter; signal: AbortSignal},
): Promise<Report> {
  const started = new Date()
  const image = await readImageDirectory(options.image)
  if (image.manifest.stage !== 'hardened' || image.manifest.profile !== 'production') {
    const {stage, profile} = image.manifest
    throw new CcError('E_IMAGE', `${image.path} is a ${stage} image of the profile ${profile}`, {
      suggestions: ['name a hardened production image: others may be started in other ways'],
    })
  }
  const config = parseConfig(image.manifest.config)
  const {gpu, gpuAdminTools} = options
  if ((gpu === null) !== (gpuAdminTools === null) && gpuAdminTools !== null)
    throw new CcError('E_USAGE', '--gpu-admin-tools needs --gpu')
  await mkdir(options.workDir, {recursive: true, mode: 0o700})
  const words = Object.entries({gpu, ovmf: options.ovmf, qemu: options.qemu, network: options.network})
  const checks = acceptanceChecks({
    image,
    kbs: usesKbs(config),
    words: words.flatMap(([name, value]) => (value === null ? [] : [`--${name}`, value])),
    administrator: administrator(options, config.kbs.url),
    successor: options.successor === null ? null : (await readImageDirectory(options.successor)).path,
    gpuMode:
      gpu === null || gpuAdminTools === null
        ? null
        : (mode) => [
            'python3',
            gpuAdminTools,
            '--devices',
            gpu.replace(/^[0-9a-f]+:/, ''),
            `--set-cc-mode=${mode}`,
            '--reset-after-cc-mode-switch',
          ],
    ...{timeoutMs: options.timeoutMs, lingerMs: options.lingerMs},
    ...{scratch: options.workDir, signal},
  })
  const unknown = options.only.filter((id) => !checks.some((check) => check.id === id))
  if (unknown.length > 0) {
    throw new CcError('E_USAGE', `--only: there is no check '${unknown.join("', '")}'`, {
      suggestions: [`choose among ${checks.map(({id}) => id).join(', ')}`],
    })
  }
  const chosen = options.only.length === 0 ? checks : checks.filter(({id}) => options.only.includes(id))
  const title = 'cc-image-test acceptance'
  const results = await runChecks(chosen, {title, reporter, signal})
  const facts = [
    {label: 'Image', value: `${image.manifest.name} ${config.hardening.site ?? ''}`.trim()},
    {label: 'Built by', value: image.manifest.tool},
    {label: 'Consoles', value: options.workDir},
  ]
  const ms = Date.now() - started.getTime()
  return {title, subject: image.path, started: started.toISOString(), ms, checks: results, facts}
}

/** How the scripts in trustee/ are called. */
function administrator({url, ca, adminToken}: AcceptanceOptions, own: string | null): string[] | null {
  const broker = url ?? own
  if (adminToken === null || broker === null) return null
  if (ca === null || !existsSync(ca))
    throw new CcError('E_USAGE', `--ca: ${ca === null ? 'it is missing' : `there is no file '${ca}'`}`, {
      suggestions: ['name the certificate of the authority of the broker: --ca FILE'],
    })
  return [broker, '--ca', ca, '--admin-token', adminToken]
}
