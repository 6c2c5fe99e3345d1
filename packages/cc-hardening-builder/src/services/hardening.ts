import {createHash} from 'node:crypto'
import {join} from 'node:path'

import {checkPaths, checkSecurity, parseConfig, type Config, type KeySource} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {planKeys, resolveKeys} from 'cc-core/keys'
import {checkLayout} from 'cc-core/layout'
import {sha256File, type ImageDirectory} from 'cc-core/manifest'
import {planRequirements} from 'cc-core/pip'
import {planOpen, readImage, rootKeyOf} from 'cc-core/seal'
import {keptGroups, planTree, workFolders, type BuildPlan} from 'cc-core/build'
import {planStep, type PlannedStep} from 'cc-core/steps'

import {hardenedLayout} from './layout.js'
import {installedFlare} from './requirements.js'
import {planRecheck} from './recheck.js'
import {planSite, type Site} from './site.js'
import {hardeningSteps, lock, siteStep} from './steps.js'

/** Name of the image of this stage. */
export const imageName = 'nvflare_cc_image_hardened'

export interface HardeningOptions {
  /** Its sections hardening, flare (the package index) and layout.size are used; the rest comes from the FLARE image. */
  config: Config
  /** The FLARE image: its directory, or its qcow2 alone. Paths are absolute. */
  image: string
  /** The requirements file of the application. */
  requirements: string
  /** Key of the FLARE image; null: the one beside it. */
  rootKey: string | null
  /** Key for the new image; null: a new random one. */
  newRootKey: string | null
  /** The host provides the keys: for trying things out. */
  development: boolean
  outputDir: string
  workDir: string
  /** Folders that are no part of an application whose source folder has them. */
  leaveOut: readonly string[]
  tool: string
  signal?: AbortSignal | undefined
}

/** The build of the image of one site. */
export interface HardeningPlan {
  build: BuildPlan
  site: Site
}

/**
 * Plan the hardened image. Writes nothing; the FLARE image is compared with its manifest when it is opened.
 * @throws CcError E_IMAGE for an image that is missing or not a FLARE image; E_KEY without its key; E_CONFIG, E_LAYOUT
 *   for what contradicts itself; E_PACKAGE for a local file that the requirements name and that is not there
 */
export async function planHardening(options: HardeningOptions): Promise<HardeningPlan> {
  const {outputDir, workDir, tool, newRootKey} = options
  checkPaths(options.config, ['flare'], {missing: false})
  checkPaths(options.config, ['hardening', 'launch', 'kbs', 'signing'], {missing: true})
  const flare = await readImage(options.image, join(workDir, 'hardened'), options.signal)
  if (flare.manifest.stage !== 'flare') {
    throw new CcError('E_IMAGE', `${flare.path} is of the stage '${flare.manifest.stage}', a FLARE image is needed`, {
      suggestions: ['build it with nvflare-cc-builder, and name it: --image DIR'],
    })
  }
  const requirements = await planRequirements(options.requirements, options.config.flare, {
    installed: await installedFlare(flare),
    leaveOut: [...options.leaveOut, workDir, flare.path],
  })
  const rootKey = rootKeyOf(flare, options.rootKey)
  const image = mergeImage(flare, options)
  const key = keySource(options.config.hardening.key, options.development)
  const site = planSite(options.config, planRecheck(image, key))
  const config = await resolveKeys(closeImage(flare, options, image, site))
  const folders = workFolders(workDir, 'hardened')
  const {sourceDateEpoch, distribution} = flare.manifest
  const open = await planOpen({image: flare, rootKey, tree: folders.tree}, folders.open)
  const build: BuildPlan = {
    title: `hardened image of ${site.name} (${site.role}) from ${flare.path}`,
    needs: ['build', 'open'],
    warnings: site.notes,
    folders,
    tree: await planTree({
      tree: folders.tree,
      origin: open,
      originKey: createHash('sha256').update(JSON.stringify(flare.manifest)).digest('hex'),
      needs: [],
      steps: [
        ...(await keySteps(config, folders.tree, sourceDateEpoch)),
        ...(await hardeningSteps({config, requirements, tree: folders.tree, workDir, sourceDateEpoch})),
      ],
      workDir,
    }),
    seals: [
      {
        label: site.name,
        outputDir,
        seal: {
          name: imageName,
          stage: 'hardened',
          aliases: [],
          config,
          distribution,
          source: {kind: 'image', label: flare.manifest.name, sha256: await sha256File(flare.file('manifest.json'))},
          sourceDateEpoch,
          tool,
          rootKey: newRootKey,
          extra: {'python.json': lock},
        },
        own: {
          partition: 'cc-ro',
          fill: (output) => siteStep(site, {output, gid: config.os.user.gid, sourceDateEpoch}),
        },
      },
    ],
  }
  return {build, site}
}

/** The keys of a production image come from elsewhere than those of the image before: its initrd has other programs. */
async function keySteps(config: Config, tree: string, sourceDateEpoch: number): Promise<PlannedStep[]> {
  const sources = Object.values(config.layout.partitions).map(({key}) => key)
  if (!sources.includes('kbs') && !sources.includes('tee-derived')) return []
  return [
    await planKeys(config, tree),
    await planStep('base/60-initramfs', {tree, 'source-date-epoch': sourceDateEpoch}),
  ]
}

/** What the image is comes from the FLARE image; what is closed, and for whom, from this command. */
function mergeImage(flare: ImageDirectory, {config: own, development}: HardeningOptions): Config {
  const taken = parseConfig({...flare.manifest.config, profile: development ? 'development' : 'production'})
  // What was kept is removed here, but the initrd may have been made with it.
  keptGroups(taken)
  checkDriver(flare.path, own, taken)
  const {venv, workspace} = taken.flare
  return {
    ...taken,
    launch: own.launch,
    signing: own.signing,
    hardening: own.hardening,
    flare: {...own.flare, venv, workspace},
    attestation: {...taken.attestation, recheck: own.attestation.recheck},
    kbs: own.kbs.url === null ? taken.kbs : own.kbs,
    teeDerived: own.teeDerived,
  }
}

/** The image of one site, checked. */
function closeImage(flare: ImageDirectory, options: HardeningOptions, image: Config, site: Site): Config {
  const {config: own, development} = options
  const base: Config = {
    ...image,
    hardening: {
      ...image.hardening,
      role: site.role,
      site: site.name,
      network: {...own.hardening.network, ...site.lists},
    },
  }
  checkModules(flare.path, base)
  const key = keySource(own.hardening.key, development)
  refuseKey(key, base, site)
  const {overlaySize} = own.layout
  const size = own.layout.size ?? image.layout.size
  const config = {...base, layout: {...hardenedLayout(base, site.role, key), size, overlaySize, esp: false}}
  checkLayout(config)
  checkSecurity(config)
  return config
}

/** @throws E_IMAGE where the initrd, which is that of the FLARE image, could not mount the root */
function checkModules(image: string, {boot, hardening: {rootFilesystem}}: Config): void {
  if (boot.modules.includes(rootFilesystem)) return
  throw new CcError('E_IMAGE', `the initrd of ${image} has no kernel module '${rootFilesystem}' for cc-root`, {
    suggestions: [
      `build the base image again, with '${rootFilesystem}' in boot.modules`,
      '--set hardening.rootFilesystem=ext4',
    ],
  })
}

/** @throws E_IMAGE where a GPU is asked for, and the image has no driver */
function checkDriver(image: string, own: Config, taken: Config): void {
  if (!own.nvidia.enabled || taken.nvidia.enabled) return
  throw new CcError('E_IMAGE', `${image} was built without the NVIDIA driver, but nvidia.enabled asks for it`, {
    suggestions: [
      'build the base image with nvidia.enabled: true, and the FLARE image from it',
      'leave out nvidia.enabled, or cc_gpu_mechanism of the site configuration, for a site without a GPU',
    ],
  })
}

/** @throws E_CONFIG where a key source cannot keep what the site has */
function refuseKey(key: KeySource, {kbs}: Config, {kit, inputKey, outputKey}: Site): void {
  if (key === 'kbs' && kbs.url === null) {
    throw new CcError('E_CONFIG', "kbs.url: the key source 'kbs' needs the address of the key broker", {
      suggestions: ['--set kbs.url=https://…', '--development to try things out without attestation'],
    })
  }
  // What is encrypted at the first boot is shipped in the clear, and whoever ships it can read it.
  const secret = kit?.path ?? inputKey ?? outputKey
  if (key === 'tee-derived' && secret !== null) {
    throw new CcError(
      'E_CONFIG',
      `hardening.key: with 'tee-derived' cc-ro is shipped in the clear, and '${secret}' is secret`,
      {
        suggestions: ["use the key source 'kbs'", 'leave out start-up kit and disk keys'],
      },
    )
  }
}

/** @throws E_LAYOUT for a development key in a production image */
function keySource(configured: KeySource | null, development: boolean): KeySource {
  if (!development && configured === 'development') {
    throw new CcError(
      'E_LAYOUT',
      "hardening.key: 'development' lets the host read everything; a production image refuses it",
      {suggestions: ["use 'kbs' or 'tee-derived', or --development to try things out"]},
    )
  }
  if (development && configured !== null && configured !== 'development') return configured
  return configured ?? (development ? 'development' : 'kbs')
}
