import {existsSync} from 'node:fs'
import {mkdtemp, readFile, statfs, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {currentUser, findProgram} from 'cc-core/exec'
import {mkdirp, remove} from 'cc-core/fs'
import {
  describeOld,
  installCommand,
  neededBytes,
  oldest,
  oldTools,
  ownSubordinateIdProblem,
  tools,
  uefiStub,
  userNamespaceProblem,
  versionOf,
} from 'cc-core/host'
import {skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'
import {chooseAccelerator} from 'cc-core/vm'

import {
  judgeKvm,
  judgePrograms,
  judgeProblem,
  judgeRoundTrip,
  judgeSevSnp,
  judgeSpace,
  judgeVersion,
} from '../judges/host.js'

/** What building and booting images needs, and what would make it faster. */
export function hostChecks(folder: string, signal: AbortSignal): CheckTask[] {
  return [
    {
      id: 'node',
      title: `Node.js is ${oldest.node} or newer`,
      run: () =>
        judgeVersion(
          {found: process.versions.node},
          {oldest: oldest.node, fix: 'install a newer Node.js, for example from nodejs.org'},
        ),
    },
    ...packageNames().map((name) => packageCheck(name, signal)),
    {id: 'uefi-stub', title: `The UEFI stub of systemd (${uefiStub.package})`, run: stub},
    {
      id: 'subordinate-ids',
      title: 'The user has 65536 subordinate ids',
      run: async () => judgeProblem({problem: await ownSubordinateIdProblem()}, {detail: 'enough'}),
    },
    {
      id: 'user-namespaces',
      title: 'A user namespace can be made',
      run: async () =>
        judgeProblem(
          {problem: await userNamespaceProblem(signal)},
          {detail: 'made one, with its own mounts and processes'},
        ),
    },
    {id: 'filesystem', title: 'An ext4 file system can be made and read back', run: () => roundTrip(signal)},
    {id: 'disk-space', title: 'There is room for a build', run: () => space(folder)},
    {id: 'kvm', title: 'KVM works (faster test boots)', run: () => kvm(signal)},
    {id: 'sev-snp', title: 'This host can run SEV-SNP guests', run: sevSnp},
  ]
}

const packageNames = () => [...new Set(tools.map((tool) => tool.package))].sort()

/** One check for each Debian and Ubuntu package, since that is what a person installs. */
function packageCheck(name: string, signal: AbortSignal): CheckTask {
  const own = tools.filter((tool) => tool.package === name)
  const programs = own.map(({program}) => program)
  return {
    id: `package-${name}`,
    title: `${programs.join(', ')} (${name})`,
    run: async () => {
      const places = Object.fromEntries(programs.map((program) => [program, findProgram(program)]))
      const missing = own.filter(({program}) => places[program] === null)
      const old = missing.length > 0 ? [] : (await oldTools(own, signal)).map(describeOld)
      const versioned = missing.length > 0 ? undefined : own.find(({from}) => from !== undefined)
      const version = versioned === undefined ? '' : ((await versionOf(versioned, signal)) ?? '')
      const newer = `install ${name} of Ubuntu 22.04, Debian 12 or newer`
      return judgePrograms({places, old, version}, {programs, install: installCommand(missing), newer})
    },
  }
}

/** Base and FLARE images start under plain UEFI firmware by it; without it they can be built with `layout.esp: false`. */
function stub(): Verdict {
  const {file, package: name} = uefiStub
  const fix = `sudo apt-get install --yes ${name}`
  return judgeProblem({problem: existsSync(file) ? null : {message: `there is no ${file}`, fix}}, {detail: file})
}

/** The steps that make a file system and read it back, on a folder with one file. */
async function roundTrip(signal: AbortSignal): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'cc-host-'))
  const content = join(folder, 'content')
  const filesystem = join(folder, 'filesystem')
  const tree = join(folder, 'tree')
  const written = 'content\n'
  try {
    mkdirp(content)
    await writeFile(join(content, 'file'), written)
    const uuid = '00000000-0000-4000-8000-000000000000'
    const form = {output: filesystem, label: 'cc-host', uuid, seed: uuid, 'source-date-epoch': 0}
    await callStep(await planStep('disk/make-filesystem', {content, ...form}), {signal})
    await callStep(await planStep('disk/unpack-filesystem', {filesystem, tree}), {signal})
    return judgeRoundTrip({content: await readFile(join(tree, 'file'), 'utf8')}, {written})
  } finally {
    // In the namespace: what was unpacked may belong to subordinate ids.
    await callStep(await planStep('tree/remove', {tree: folder})).catch(() => {
      remove(folder)
    })
  }
}

async function space(folder: string): Promise<Verdict> {
  let place = folder
  while (!existsSync(place)) place = dirname(place)
  const {bavail, bsize} = await statfs(place)
  return judgeSpace({free: bavail * bsize, place}, {needed: neededBytes})
}

async function kvm(signal: AbortSignal): Promise<Verdict> {
  if (findProgram('qemu-system-x86_64') === null) return skipped('there is no QEMU to try it with')
  return judgeKvm(await chooseAccelerator({signal}), {user: currentUser().name ?? 'NAME'})
}

async function sevSnp(): Promise<Verdict> {
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  const parameter = (await read('/sys/module/kvm_amd/parameters/sev_snp')).trim()
  const flags =
    /^flags\s*:(.*)$/m
      .exec(await read('/proc/cpuinfo'))?.[1]
      ?.trim()
      .split(' ') ?? []
  return judgeSevSnp({parameter, flags})
}
