import {dirname, resolve} from 'node:path'

import {readYaml} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {homeDirectory} from 'cc-core/exec'

/** What a site configuration of NVIDIA FLARE means here. */
export interface SiteFile {
  /** Values by their key of cc.yaml, for loadConfig. */
  settings: Record<string, unknown>
  /** What of it has no effect here, and why. */
  notes: string[]
  /** GiB of the disk for the log of FLARE that goes along in the bundle. */
  logGiB: number
}

type Setting = (value: unknown, file: string) => Record<string, unknown>

const gigabytes =
  (key: string): Setting =>
  (value) => ({[key]: `${Number(value)}G`})
const ports =
  (key: string): Setting =>
  (value) => ({
    [key]: (Array.isArray(value) ? value : [value]).map((port: unknown) => ({port})),
  })
const path =
  (key: string): Setting =>
  (value, file) => ({[key]: hostPath(text(value), file)})

/** Keys of the site configuration that are ours under another name (docs: FLARE Confidential Federated AI Deployment). */
const mapped: Readonly<Record<string, Setting>> = {
  role: (value) => ({'hardening.role': value}),
  site: (value) => ({'hardening.site': value}),
  root_drive_size: gigabytes('layout.size'),
  allowed_ports: ports('hardening.network.inbound'),
  allowed_out_ports: ports('hardening.network.outbound'),
  hosts_entries: (value) => ({'hardening.network.hosts': value}),
  host_entries: (value) => ({'hardening.network.hosts': value}),
  requirements: path('hardening.requirements'),
}

/** Keys that only nvflare provision reads: what they say is in the start-up kit. */
const provisioning = ['cc_issuers', 'cc_attestation', 'class_allow_list', 'cvm_image_name']

/** Keys that have no effect here, and why. */
const idle: Readonly<Record<string, string>> = {
  docker_archive: 'the application comes from requirements.txt, there is no container',
  user_config_drive_size: 'the start-up kit is on a partition of its own, of the size that it needs',
  user_data_drive_size: 'the host attaches a disk with the serial nvflare-input, of any size',
  // Of older versions of NVIDIA FLARE.
  secure_drive_size: 'the workspace is the partition cc-app of the base image: layout.partitions.cc-app.size',
  data_source: 'the host attaches the data as a disk with the serial nvflare-input: hardening.mounts.input',
}

/**
 * Read the site configuration that OnPremPackager of nvflare/lighter/cc_provision hands to the image builder. It is a
 * copy in a temporary folder, so what is relative in the original cannot be found: paths have to be absolute.
 * @throws E_CONFIG for a key that is not known, and for another platform than ours
 */
export function readSiteFile(file: string): SiteFile {
  const settings: Record<string, unknown> = {}
  const notes: string[] = []
  let logGiB = defaultLogGiB
  for (const [key, value] of Object.entries(readYaml(file))) {
    if (value === null || provisioning.includes(key)) continue
    const setting = mapped[key]
    if (setting !== undefined) Object.assign(settings, setting(value, file))
    else if (key === 'applog_drive_size') logGiB = sizeOf(key, value, file)
    else if (key in idle) notes.push(`${key} of ${file} has no effect: ${idle[key] ?? ''}`)
    else if (key === 'cc_gpu_mechanism' && value === 'nvidia_cc') settings['nvidia.enabled'] = true
    else if (key === 'user_config') Object.assign(settings, userConfig(value, file))
    else checkPlatform(key, value, file)
  }
  return {settings, notes, logGiB}
}

/** As in NVIDIA's own example. */
const defaultLogGiB = 1

function sizeOf(key: string, value: unknown, file: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value
  throw wrong(file, key, value, 'expected a number of GiB')
}

/** nvflare: the start-up kit, which the packager writes there. Other entries were folders of the container. */
function userConfig(value: unknown, file: string): Record<string, unknown> {
  const {nvflare, ...others} = value as Record<string, unknown>
  const [other] = Object.keys(others)
  if (other !== undefined)
    throw wrong(file, `user_config.${other}`, others[other], 'only nvflare, the start-up kit, goes into the image')
  return nvflare === undefined ? {} : {'hardening.startupKit': hostPath(text(nvflare), file)}
}

function checkPlatform(key: string, value: unknown, file: string): void {
  const allowed: Readonly<Record<string, string>> = {
    compute_env: 'onprem_cvm',
    cc_cpu_mechanism: 'amd_sev_snp',
    cc_gpu_mechanism: 'nvidia_cc',
  }
  const expected = allowed[key]
  if (expected === undefined) throw wrong(file, key, value, 'it is not a key that this command knows')
  if (value !== expected) throw wrong(file, key, value, `this command builds for '${expected}'`)
}

/** What is not text is left for the schema to complain about. */
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

function hostPath(path: string, file: string): string {
  if (!path.startsWith('~/')) return resolve(dirname(file), path)
  const home = homeDirectory()
  if (home === null) {
    throw new CcError('E_CONFIG', `${file}: '${path}': this user has no home directory`, {
      suggestions: ['write the whole path, or set HOME'],
    })
  }
  return resolve(home, path.slice(2))
}

function wrong(file: string, key: string, value: unknown, reason: string): CcError {
  return new CcError('E_CONFIG', `${file}: ${key}: ${reason}, got ${JSON.stringify(value)}`, {
    suggestions: ['see docs/usage/nvflare_cc_hardening_builder.md for the keys'],
  })
}
