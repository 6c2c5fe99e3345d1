import {join} from 'node:path'

import type {Config} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {planPip} from 'cc-core/pip'
import {hashFolder, planStep, scriptsDirectory, type PlannedStep} from 'cc-core/steps'

import {buildCrate, checkFile, download, type Download} from './downloads.js'
import type {Extras, ExtrasRequest} from './extras.js'
import type {Part} from './nvidia.js'

/** Where the image keeps the list of what pip installed for the SDK; a copy lies in the image directory. */
const lock = '/usr/share/cc/attestation-python.json'

/**
 * Plan what gives evidence of CPU and GPU.
 * @throws E_CONFIG for a configuration that cannot work, E_SHA256 for a program that is another
 */
export async function planAttestation(request: ExtrasRequest): Promise<Part & Pick<Extras, 'packages' | 'seal'>> {
  const {config, folders, workDir, sourceDateEpoch} = request
  const {attestation} = config
  if (!attestation.enabled) return {downloads: [], steps: [], bootSteps: [], packages: [], seal: {}}
  checkToken(config)
  const {sdk, services, verifier, tokenFile} = attestation
  const {tree} = folders
  const steps: Promise<PlannedStep>[] = []
  const snpguest = await snpguestOf(attestation.snpguest, workDir)
  if (snpguest !== null)
    steps.push(planStep('base/18-snpguest', {tree, program: snpguest.path}, {inputs: [snpguest.identity]}))
  if (sdk.kind === 'python') {
    const {parameters, ...pip} = await planPip(sdk.requirements, 'attestation.sdk.requirements', sdk)
    steps.push(
      planStep(
        'base/19-attestation-sdk',
        {
          ...{tree, venv: sdk.venv, ...parameters, lock, cache: join(workDir, 'pip')},
          'source-date-epoch': sourceDateEpoch,
        },
        {checkpoint: true, ...pip},
      ),
    )
  }
  const guest = join(scriptsDirectory(), 'guest')
  const settings = {sdk: sdk.kind, venv: sdk.venv, verifier, ...services, 'token-file': tokenFile}
  const install = planStep(
    'base/56-attestation',
    {tree, guest, setting: Object.entries(settings).map(([key, value]) => `${key}=${value}`)},
    {inputs: [await hashFolder(join(guest, 'opt-cc'))]},
  )
  return {
    downloads: snpguest?.download === undefined ? [] : [snpguest.download.task],
    steps,
    bootSteps: [install],
    packages: sdk.kind === 'python' ? ['python3'] : [],
    seal: sdk.kind === 'python' ? {extra: {'attestation-python.json': lock}} : {},
  }
}

interface Snpguest {
  path: string
  /** What its content depends on. */
  identity: string
  download?: Download
}

async function snpguestOf(
  {file, url, sha256, version}: Config['attestation']['snpguest'],
  workDir: string,
): Promise<Snpguest | null> {
  if (file !== null) {
    await checkFile('attestation.snpguest', file, sha256)
    return {path: file, identity: sha256 ?? ''}
  }
  if (url !== null && sha256 !== null) {
    const fetched = await download(workDir, 'snpguest', url, sha256)
    return {path: fetched.path, identity: sha256, download: fetched}
  }
  if (version === null) return null
  const built = await buildCrate(workDir, 'snpguest', version)
  return {path: built.path, identity: version, download: built}
}

/** The token may lie in the image only where nobody but root of the guest can read it. */
function checkToken({attestation, os, layout}: Config): void {
  const file = os.files.find(({path}) => path === attestation.tokenFile)
  if (file === undefined) return
  const wrong = (message: string, suggestion: string) =>
    new CcError('E_CONFIG', `os.files: ${attestation.tokenFile}, the token of attestation, ${message}`, {
      suggestions: [suggestion],
    })
  if (!/^0?[46]00$/.test(file.mode)) throw wrong(`would have mode ${file.mode}`, "set its mode to '0600'")
  const root = Object.values(layout.partitions).find(({mount}) => mount === '/')
  if (root?.encryption !== 'luks2')
    throw wrong(
      'would lie on a root that is not encrypted',
      'encrypt cc-root, or give CC_ATTESTATION_TOKEN to cc-attest',
    )
}
