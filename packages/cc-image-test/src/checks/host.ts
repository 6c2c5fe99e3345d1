import {existsSync} from 'node:fs'
import {mkdtemp, readFile, statfs, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {currentUser, findProgram} from 'cc-core/exec'
import {mkdirp, remove} from 'cc-core/fs'
import {
  describeOld,
  installCommand,
  isAtLeast,
  neededBytes,
  oldest,
  oldTools,
  ownSubordinateIdProblem,
  tools,
  uefiStub,
  userNamespaceProblem,
  versionOf,
  type HostProblem,
} from 'cc-core/host'
import {failed, passed, skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {callStep, planStep} from 'cc-core/steps'
import {chooseAccelerator} from 'cc-core/vm'

/** What building and booting images needs, and what would make it faster. */
export function hostChecks(folder: string, signal: AbortSignal): CheckTask[] {
  return [
    {
      id: 'node',
      title: `Node.js is ${oldest.node} or newer`,
      run: () => atLeast(process.versions.node, oldest.node, 'install a newer Node.js, for example from nodejs.org'),
    },
    ...packageNames().map((name) => packageCheck(name, signal)),
    {id: 'uefi-stub', title: `The UEFI stub of systemd (${uefiStub.package})`, run: stub},
    {
      id: 'subordinate-ids',
      title: 'The user has 65536 subordinate ids',
      run: async () => verdict(await ownSubordinateIdProblem(), 'enough'),
    },
    {
      id: 'user-namespaces',
      title: 'A user namespace can be made',
      run: async () => verdict(await userNamespaceProblem(signal), 'made one, with its own mounts and processes'),
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
      const missing = own.filter(({program}) => findProgram(program) === null)
      if (missing.length > 0)
        return failed(`missing: ${missing.map(({program}) => program).join(', ')}`, installCommand(missing))
      const old = await oldTools(own, signal)
      if (old.length > 0)
        return failed(old.map(describeOld).join('; '), `install ${name} of Ubuntu 22.04, Debian 12 or newer`)
      const found = programs.map((program) => findProgram(program)).join(', ')
      const versioned = own.find(({from}) => from !== undefined)
      return passed(versioned === undefined ? found : `${found}: ${(await versionOf(versioned, signal)) ?? ''}`)
    },
  }
}

/** Base and FLARE images start under plain UEFI firmware by it; without it they can be built with `layout.esp: false`. */
function stub(): Verdict {
  if (existsSync(uefiStub.file)) return passed(uefiStub.file)
  return failed(`there is no ${uefiStub.file}`, `sudo apt-get install --yes ${uefiStub.package}`)
}

function verdict(problem: HostProblem | null, detail: string): Verdict {
  return problem === null ? passed(detail) : failed(problem.message, problem.fix)
}

function atLeast(found: string, wanted: string, fix: string): Verdict {
  return isAtLeast(found, wanted) ? passed(found) : failed(`it is ${found}`, fix)
}

/** The steps that make a file system and read it back, on a folder with one file. */
async function roundTrip(signal: AbortSignal): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'cc-host-'))
  const content = join(folder, 'content')
  const filesystem = join(folder, 'filesystem')
  const tree = join(folder, 'tree')
  try {
    mkdirp(content)
    await writeFile(join(content, 'file'), 'content\n')
    const uuid = '00000000-0000-4000-8000-000000000000'
    const form = {output: filesystem, label: 'cc-host', uuid, seed: uuid, 'source-date-epoch': 0}
    await callStep(await planStep('disk/make-filesystem', {content, ...form}), {signal})
    await callStep(await planStep('disk/unpack-filesystem', {filesystem, tree}), {signal})
    const same = (await readFile(join(tree, 'file'), 'utf8')) === 'content\n'
    return same ? passed('byte for byte, in a namespace') : failed('a file came back with other content')
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
  const free = bavail * bsize
  const detail = `${gibibytes(free)} free at ${place}, a base image needs ${gibibytes(neededBytes)} while it is built`
  return free >= neededBytes
    ? passed(detail)
    : failed(detail, 'free some space, or build elsewhere: --output and --work-dir')
}

const gibibytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`

/** KVM is a comfort: without it boots run under TCG, which is slower and shows the same. */
async function kvm(signal: AbortSignal): Promise<Verdict> {
  if (findProgram('qemu-system-x86_64') === null) return skipped('there is no QEMU to try it with')
  const {accelerator, reason} = await chooseAccelerator({signal})
  if (accelerator === 'kvm') return passed(reason)
  const mine = `sudo usermod --append --groups kvm ${currentUser().name ?? 'NAME'}`
  return {...skipped(`TCG will be used: ${reason}`), ...(reason.includes('by this user') && {fix: mine})}
}

/** Images are built on any host; only the one that runs them confidentially needs this. */
async function sevSnp(): Promise<Verdict> {
  const read = (file: string) => readFile(file, 'utf8').catch(() => '')
  const enabled = (await read('/sys/module/kvm_amd/parameters/sev_snp')).trim()
  if (enabled === 'Y' || enabled === '1') return passed('kvm_amd has SEV-SNP enabled')
  const flags = /^flags\s*:(.*)$/m.exec(await read('/proc/cpuinfo'))?.[1]?.split(' ') ?? []
  if (flags.includes('sev_snp'))
    return skipped('the processor has SEV-SNP, and it is not enabled in firmware or kernel')
  return skipped('not this processor: images can be built and tested here, and run confidentially elsewhere')
}
