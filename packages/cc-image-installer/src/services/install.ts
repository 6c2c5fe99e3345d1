import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {checkPaths, checkSecurity, type Config, type DistributionId} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {checkHostMirrors} from 'cc-core/host'
import {planKeys, resolveKeys} from 'cc-core/keys'
import {profileOfHost, profiles, type DistroProfile} from 'cc-core/distro'
import {checkLayout} from 'cc-core/layout'
import {sha256File, type Manifest} from 'cc-core/manifest'
import {inspectIso, listIsoPackages, selectSource, type IsoPackages, type IsoSource} from 'cc-core/source'
import {keptGroups, planTree, workFolders, type BuildPlan, type WorkFolders} from 'cc-core/build'
import {planExtras, type Extras} from './extras.js'
import {chooseKernel} from './kernel.js'
import {planSupply} from './supply.js'
import {hashFolder, onceTask, planStep, scriptsDirectory, stepTask, type PlannedStep, type Task} from 'cc-core/steps'

/** Name of the base image, and the other name that the mission knows it by. */
export const imageName = 'confidential_computing_image'
export const imageAlias = 'nvcc_image'

/** Time stamp of everything in an image when SOURCE_DATE_EPOCH is not set: 2024-01-01. */
const defaultEpoch = 1704067200

/** The sections of cc.yaml that name files of the host which this stage reads. */
const sections = ['source', 'os', 'amd', 'nvidia', 'attestation', 'launch', 'kbs', 'signing'] as const

export interface InstallOptions {
  config: Config
  /** Absolute paths. */
  outputDir: string
  workDir: string
  /** Name and version of the command, for the manifest. */
  tool: string
  /** A key for cc-root instead of a new one; path. */
  rootKey: string | null
  signal?: AbortSignal | undefined
}

const timesyncd = 'systemd-timesyncd'

/**
 * Plan the base image. Looks at the configuration, the ISO and the host; writes nothing.
 * @throws CcError E_LAYOUT, E_ISO_*, E_SHA256, E_SIGNATURE, E_CONFIG
 */
export async function planInstall(options: InstallOptions): Promise<BuildPlan> {
  const {outputDir, workDir, tool, rootKey} = options
  checkLayout(options.config)
  checkSecurity(options.config)
  checkPaths(options.config, sections, {missing: false})
  const keep = keptGroups(options.config)
  const config = await resolveKeys(options.config)
  const folders = workFolders(workDir, 'base')
  const origin = await findOrigin(options, folders)
  const sourceDateEpoch = epochOf(process.env['SOURCE_DATE_EPOCH'])
  const extras = await planExtras({
    config,
    profile: origin.profile,
    pool: origin.pool,
    folders,
    workDir,
    sourceDateEpoch,
  })
  const kernel = chooseKernel(config, origin.profile, origin.iso)
  const packages = [
    ...new Set([
      ...timePackages(config, origin.profile.basePackages),
      kernel.package,
      ...origin.profile.localePackages(config.os.locale),
      ...config.os.packages,
      ...extras.packages,
    ]),
  ]
  const online = await planSupply(config, origin.profile, origin.iso, packages)
  checkPaths(config, sections, {missing: true})
  const request = {config, origin, folders, archives: join(workDir, 'archives'), sourceDateEpoch, extras}
  const steps = await baseSteps({...request, packages, keep, online})
  return {
    title: `base image: ${origin.profile.id} from ${origin.source.label}`,
    needs: extras.needs,
    warnings: kernel.warnings,
    folders,
    tree: await planTree({
      tree: folders.tree,
      downloads: extras.downloads,
      origin: await origin.tasks(sourceDateEpoch),
      originKey: origin.key,
      needs: origin.pool === null ? [] : [origin.pool],
      steps,
      workDir,
    }),
    seals: [
      {
        label: 'base',
        outputDir,
        seal: {
          name: imageName,
          stage: 'base',
          aliases: [imageAlias],
          config,
          distribution: origin.profile.id,
          source: origin.source,
          sourceDateEpoch,
          tool,
          rootKey,
          ...extras.seal,
        },
      },
    ],
  }
}

/**
 * The packages with the one that sets the clock: chrony where NTS servers are configured, which Debian and Ubuntu install
 * only in place of systemd-timesyncd.
 */
function timePackages({kbs, os}: Config, packages: readonly string[]): string[] {
  const chrony = kbs.clock.servers.length > 0 || os.packages.includes('chrony')
  return chrony ? [...packages.filter((name) => name !== timesyncd), 'chrony'] : [...packages]
}

/** Where the operating system comes from. */
interface Origin {
  profile: DistroProfile
  source: Manifest['source']
  /** Identity of the tree that the tasks make. */
  key: string
  /** The extracted ISO, from which packages come too. */
  pool: string | null
  /** What the ISO has; null: there is none. */
  iso: IsoPackages | null
  tasks: (sourceDateEpoch: number) => Promise<Task[]>
}

async function findOrigin(options: InstallOptions, folders: WorkFolders): Promise<Origin> {
  const {iso} = options.config.source
  return iso === null ? mirrorOrigin(options, folders) : isoOrigin(iso, options, folders)
}

async function isoOrigin(path: string, {config, signal}: InstallOptions, folders: WorkFolders): Promise<Origin> {
  const {source, distribution} = config
  const iso: IsoSource = await inspectIso(path, {
    sha256: source.isoSha256,
    sha256sums: source.sha256sums,
    signature: source.sha256sumsSignature,
    keyring: source.keyring,
    signal,
  })
  const profile = profiles[iso.profileId as DistributionId]
  if (distribution !== 'auto' && distribution !== profile.id) throw otherDistribution(path, profile.id, distribution)
  const chosen = selectSource(iso, source.installSource)
  const {layers} = chosen
  const sha256 = await sha256File(path)
  const extracted = join(folders.root, 'iso', sha256)
  return {
    profile,
    source: {kind: 'iso', label: iso.label, sha256},
    key: keyOf(sha256, ...layers),
    pool: extracted,
    iso: await listIsoPackages(iso, chosen, signal),
    tasks: async () => [
      onceTask(
        stepTask(await planStep('source/extract-iso', {iso: path, output: extracted, layer: layers})),
        extracted,
      ),
      stepTask(
        await planStep('source/unpack-layers', {
          tree: folders.tree,
          layer: layers.map((layer) => join(extracted, 'casper', layer)),
        }),
      ),
    ],
  }
}

async function mirrorOrigin({config, workDir}: InstallOptions, folders: WorkFolders): Promise<Origin> {
  const {source, distribution} = config
  const profile =
    distribution === 'auto' ? profileOfHost(await readFile('/etc/os-release', 'utf8')) : profiles[distribution]
  await checkHostMirrors(
    config,
    profile,
    `distribution: without an ISO, ${profile.id} comes`,
    `or give the ISO of ${profile.id}: --iso`,
  )
  return {
    profile,
    source: {kind: 'mirror', label: `${profile.id} package mirror`, sha256: null},
    key: keyOf(profile.id, ...source.mirrors),
    pool: null,
    iso: null,
    tasks: async (sourceDateEpoch) => [
      stepTask(
        await planStep('source/mirror', {
          tree: folders.tree,
          suite: profile.codename,
          source: source.mirrors,
          keyring: source.keyring ?? undefined,
          archives: join(workDir, 'archives'),
          epoch: sourceDateEpoch,
        }),
      ),
    ],
  }
}

interface BaseRequest {
  config: Config
  origin: Origin
  folders: WorkFolders
  archives: string
  sourceDateEpoch: number
  extras: Extras
  packages: readonly string[]
  /** Groups that stay although they act on the host's behalf. */
  keep: readonly string[]
  /** Whether the mirrors of the host are asked too. */
  online: boolean
}

/** The steps that make a bare system the base image. */
async function baseSteps(request: BaseRequest): Promise<PlannedStep[]> {
  const {config, archives, sourceDateEpoch, extras, packages, keep, online} = request
  const {profile, pool} = request.origin
  const {tree} = request.folders
  const {os, source, boot, layout} = config
  const epoch = {'source-date-epoch': sourceDateEpoch}
  const guest = join(scriptsDirectory(), 'guest')
  return Promise.all([
    planStep(
      'base/10-packages',
      {
        tree,
        package: packages,
        replaced: packages.includes('chrony') ? [timesyncd] : [],
        ...(pool === null ? {} : {pool, 'pool-suite': profile.codename}),
        ...(online ? {'host-suite': profile.codename} : {}),
        source: source.mirrors,
        keyring: source.keyring ?? undefined,
        archives,
        ...epoch,
      },
      {checkpoint: true},
    ),
    ...extras.steps,
    planStep(
      'base/15-remove',
      {tree, keep, wanted: packages, guest, archives, ...epoch},
      {inputs: [await hashFolder(join(guest, 'hardening/etc'))]},
    ),
    planStep('base/20-locale', {tree, locale: os.locale, timezone: os.timezone, ...epoch}),
    planStep('base/30-identity', {
      tree,
      hostname: os.hostname,
      user: os.user.name,
      uid: os.user.uid,
      group: os.user.group,
      gid: os.user.gid,
      shell: os.user.shell,
      ...epoch,
    }),
    planStep('base/40-memory', {tree, tmpfs: os.tmpfs.map(({path, size, mode}) => `${path}:${size}:${mode}`)}),
    planStep('base/45-partitions', {
      tree,
      folder: Object.values(layout.partitions).flatMap(({mount, from}) => (from === null ? [mount] : [mount, from])),
    }),
    planStep(
      'base/48-files',
      {tree, file: os.files.map(({path, from, mode}) => `${mode}:${path}:${from}`)},
      {inputs: await Promise.all(os.files.map(({from}) => identityOf(from)))},
    ),
    planStep('base/50-boot', {tree, guest, module: boot.modules}, {inputs: [await hashFolder(guest)]}),
    ...extras.bootSteps,
    planKeys(config, tree),
    planStep('base/60-initramfs', {tree, ...epoch}),
    planStep('base/88-verify', {tree, keep}),
    planStep('base/90-clean', {tree, ...epoch}),
  ])
}

/** The content hash of what an origin is made from. */
const keyOf = (...parts: string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** SOURCE_DATE_EPOCH as https://reproducible-builds.org/specs/source-date-epoch/ has it. */
function epochOf(text: string | undefined): number {
  if (text === undefined || text === '') return defaultEpoch
  if (/^\d{1,11}$/.test(text)) return Number(text)
  throw new CcError('E_CONFIG', `SOURCE_DATE_EPOCH: expected seconds since 1970, got '${text}'`)
}

function otherDistribution(iso: string, found: string, wanted: string): CcError {
  return new CcError('E_CONFIG', `distribution: '${wanted}' is configured, but ${iso} is ${found}`, {
    suggestions: ['set distribution to auto, or give the ISO of that distribution'],
  })
}

/** The content hash of a file that the configuration names. */
async function identityOf(file: string): Promise<string> {
  if (!existsSync(file)) throw new CcError('E_CONFIG', `os.files: there is no file '${file}'`)
  return sha256File(file)
}
