import type {ManifestPartition} from 'cc-core/manifest'
import {skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {parseBootReport, readBootReport, readSettledReport, type BootReport, type BootResult} from 'cc-core/vm'
import {CcError} from 'cc-core/errors'

import type {Boots} from '../image/boots.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {
  judgeBanner,
  judgeBootUp,
  judgeConfigured,
  judgeFixedRoot,
  judgeGrowth,
  judgeKernel,
  judgeNoShell,
  judgePartition,
  judgeSwapOff,
  judgeTmpfs,
  judgeUnits,
  type Booted,
} from '../judges/boot-report.js'

/** The check that answers for the boot report: without one there is one failure, not twelve. */
const owner = 'boot-up'

/** Everything that one real boot shows. */
export function bootChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {image, config} = subject
  const {manifest} = image
  const ofBoot = (id: string, title: string, judge: (booted: Booted) => Verdict | Promise<Verdict>): CheckTask => ({
    id,
    title,
    run: async (onLine) => {
      if (boots.impossible !== null) return skipped(boots.impossible)
      return judge(bootedOf(await boots.withKey(onLine)))
    },
  })
  /** A check of one field of what the guest reports. */
  const ofReport = (
    id: string,
    title: string,
    field: keyof BootReport,
    judge: (report: Partial<BootReport>) => Verdict,
  ): CheckTask =>
    ofBoot(id, title, ({report}) => ({...judge(report), ...(report[field] === undefined && {cause: owner})}))
  const same = (id: string, title: string, field: 'profile' | 'hostname' | 'locale' | 'timezone', configured: string) =>
    ofReport(id, title, field, ({[field]: found}) => judgeConfigured({found}, {configured}))
  const root = manifest.partitions.find(({name}) => name === 'cc-root')

  return [
    ofBoot(owner, 'It boots until every partition is open', async (booted) => {
      const {accelerator, reason} = await boots.accelerator()
      return judgeBootUp(booted, {accelerator: `${accelerator.toUpperCase()} (${reason})`})
    }),
    same('boot-profile', 'The guest runs the profile of the manifest', 'profile', manifest.profile),
    ofReport('boot-kernel', 'The running kernel is an installed package', 'kernel', (report) =>
      judgeKernel(report, manifest),
    ),
    same('boot-hostname', 'The host name is as configured', 'hostname', config.os.hostname),
    same('boot-locale', 'The locale is as configured', 'locale', config.os.locale),
    same('boot-timezone', 'The time zone is as configured', 'timezone', config.os.timezone),
    ...manifest.partitions.filter(isMounted).map((partition) =>
      ofReport(`boot-${partition.name}`, `${partition.name} is ${expectedState(partition)}`, 'partitions', (report) =>
        judgePartition(report, {
          partition,
          plainAllowed: config.layout.partitions[partition.name]?.plainAllowed === true,
        }),
      ),
    ),
    ofReport('boot-growth', 'The root file system fills its partition', 'partitions', (report) =>
      root?.verity == null ? judgeGrowth(report, {name: 'cc-root', size: root?.size ?? 0}) : judgeFixedRoot(report),
    ),
    ofReport('boot-swap', 'Swap is off', 'swap', (report) => judgeSwapOff(report)),
    ofReport('boot-tmpfs', 'Temporary files are in memory', 'tmpfs', (report) =>
      judgeTmpfs(report, {paths: config.os.tmpfs.map(({path}) => path)}),
    ),
    ofBoot('boot-units', 'No unit failed', ({boot}) => ({
      ...judgeUnits(readSettledReport(boot.lines)),
      ...(boot.matched === null && {cause: owner}),
    })),
    ofBoot('boot-banner', 'The console says what kind of image it is', ({boot}) =>
      judgeBanner(boot, {profile: manifest.profile}),
    ),
    ofBoot('boot-no-shell', 'The console offers no emergency shell', ({boot}) => judgeNoShell(boot)),
  ]
}

/** A boot with what of its report can be used. */
export function bootedOf(boot: BootResult): Booted {
  if (boot.matched === null) return {boot, report: {}, problem: null}
  try {
    return {boot, report: parseBootReport(boot.matched), problem: null}
  } catch (error) {
    if (!CcError.is(error)) throw error
    return {boot, report: readBootReport(boot.matched), problem: `${error.code}: ${error.message}`}
  }
}

/** The guest knows nothing of the EFI system partition. */
const isMounted = ({mount}: ManifestPartition) => mount !== 'none'

function expectedState({encryption, integrity, mount}: ManifestPartition): string {
  if (encryption === 'on-demand') return 'locked without its key'
  return `${[encryption === 'luks2' && 'encrypted', integrity === 'verity' && 'verified'].filter(Boolean).join(', ') || 'plain'} at ${mount}`
}
