import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {checkPaths, checkSecurity, parseConfig, type Config} from 'cc-core/config'
import {profiles} from 'cc-core/distro'
import {CcError} from 'cc-core/errors'
import {checkHostMirrors} from 'cc-core/host'
import {checkLayout} from 'cc-core/layout'
import {sha256File, type ImageDirectory} from 'cc-core/manifest'
import {planPip} from 'cc-core/pip'
import {planOpen, readImage, rootKeyOf} from 'cc-core/seal'
import {keptGroups, planTree, workFolders, type BuildPlan} from 'cc-core/build'
import {planStep, type PlannedStep} from 'cc-core/steps'

/** Where the image keeps the list of what pip installed; a copy lies in the image directory. */
const lock = '/usr/share/cc/python.json'

/** Name of the image of this stage. */
export const imageName = 'nvflare_cc_image'

export interface FlareOptions {
  /** Its sections flare and source, and layout.size, are used; the rest comes from the base image. */
  config: Config
  /** The base image: its directory or the qcow2 in it. Paths are absolute. */
  image: string
  /** Key of the base image; null: the one beside it. */
  rootKey: string | null
  /** Key for the new image; null: a new random one. */
  newRootKey: string | null
  outputDir: string
  workDir: string
  tool: string
  signal?: AbortSignal | undefined
}

/**
 * Plan the FLARE image. Writes nothing; the base image is compared with its manifest when it is opened.
 * @throws CcError E_IMAGE for an image that is missing or not a base image; E_KEY without its key; E_CONFIG where a
 *   package is to come from mirrors that do not have the image's distribution
 */
export async function planFlare(options: FlareOptions): Promise<BuildPlan> {
  const {outputDir, workDir, tool, newRootKey} = options
  checkPaths(options.config, ['flare'], {missing: false})
  checkPaths(options.config, ['launch', 'signing'], {missing: true})
  const base = await readImage(options.image, join(workDir, 'flare'), options.signal)
  if (base.manifest.stage !== 'base') {
    throw new CcError('E_IMAGE', `${base.path} is of the stage '${base.manifest.stage}', a base image is needed`)
  }
  const rootKey = rootKeyOf(base, options.rootKey)
  const folders = workFolders(workDir, 'flare')
  const config = takeOver(base, options.config)
  const {sourceDateEpoch, distribution} = base.manifest
  return {
    title: `FLARE image from ${base.path}`,
    needs: ['build', 'open'],
    folders,
    tree: await planTree({
      tree: folders.tree,
      origin: await planOpen({image: base, rootKey, tree: folders.tree}, folders.open),
      originKey: createHash('sha256').update(JSON.stringify(base.manifest)).digest('hex'),
      needs: [],
      steps: await flareSteps(config, base, folders.tree, workDir),
      workDir,
    }),
    seals: [
      {
        label: 'flare',
        outputDir,
        seal: {
          name: imageName,
          stage: 'flare',
          aliases: [],
          config,
          distribution,
          source: {kind: 'image', label: base.manifest.name, sha256: await sha256File(base.file('manifest.json'))},
          sourceDateEpoch,
          tool,
          rootKey: newRootKey,
          extra: {'python.json': lock},
        },
      },
    ],
  }
}

/** What the image is comes from the base image; what is put into it, and how large its disk is, from the command. */
function takeOver(base: ImageDirectory, {source, flare, launch, signing, layout}: Config): Config {
  const config = parseConfig({...base.manifest.config, source, flare, launch, signing})
  const size = layout.size ?? config.layout.size
  const asked = flare.packages.map((name) => ({key: 'flare.packages', name}))
  const os = {...config.os, keep: keptGroups(config, asked)}
  const taken = {...config, os, layout: {...config.layout, size}}
  checkLayout(taken)
  checkSecurity(taken)
  return taken
}

/** @throws E_PACKAGE where it is not there */
async function wheelIdentity(file: string): Promise<string> {
  if (existsSync(file)) return sha256File(file)
  throw new CcError('E_PACKAGE', `flare.wheels: there is no '${file}'`, {suggestions: ['check the path']})
}

/** The packages of `flare.packages` that the base image lacks; one with a version or a suite is left to apt. */
function lackingPackages(packages: readonly string[], {manifest}: ImageDirectory): string[] {
  const installed = new Set(manifest.packages.map(({name}) => name))
  return packages.filter((name) => !installed.has(name))
}

async function flareSteps(config: Config, base: ImageDirectory, tree: string, workDir: string): Promise<PlannedStep[]> {
  const {os, source, flare} = config
  const {manifest} = base
  const profile = profiles[manifest.distribution as keyof typeof profiles]
  const epoch = {'source-date-epoch': manifest.sourceDateEpoch}
  const {venv, workspace} = flare
  const files = await Promise.all(flare.wheels.map(wheelIdentity))
  const pip = await planPip(flare.requirements, 'flare.requirements', flare)
  // No mirror is asked where nothing is missing: the host may have none of this distribution.
  const lacking = lackingPackages(flare.packages, base)
  if (lacking.length > 0)
    await checkHostMirrors(config, profile, `flare.packages: '${lacking.join("', '")}' would come`)
  return Promise.all([
    ...(lacking.length === 0
      ? []
      : [
          planStep('base/10-packages', {
            tree,
            package: lacking,
            ...(source.mirrors.length === 0 ? {'host-suite': profile.codename} : {source: source.mirrors}),
            keyring: source.keyring ?? undefined,
            archives: join(workDir, 'archives'),
            ...epoch,
          }),
        ]),
    planStep(
      'flare/20-nvflare',
      {
        tree,
        venv,
        ...pip.parameters,
        wheel: flare.wheels,
        cache: join(workDir, 'pip'),
        lock,
        ...epoch,
      },
      // No checkpoint: opening the base image again takes about as long as unpacking one.
      {inputs: [...files, ...pip.inputs], input: pip.input, notes: pip.notes},
    ),
    planStep('flare/30-service', {tree, venv, workspace, user: os.user.name, group: os.user.group}),
    planStep('base/88-verify', {tree, keep: os.keep}),
    planStep('base/90-clean', {tree, ...epoch}),
    planStep('flare/95-compile', {tree, folder: [venv, '/usr/lib/python3'], ...epoch}),
  ])
}
