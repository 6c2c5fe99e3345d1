import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import {parseConfig, type Config} from 'cc-core/config'
import {run} from 'cc-core/exec'
import {skipped, type Verdict} from 'cc-core/report'
import {makeVariant} from 'cc-core/build'
import {planStep} from 'cc-core/steps'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch, developmentKeys} from 'cc-core/vm'

import {describeExit} from '../../judges/console-text.js'
import {factsOf, type Facts} from '../../judges/facts.js'
import type {Attempt, Outbound} from '../../judges/network.js'
import {
  judgeExposure,
  judgeJobCalls,
  judgeJobDevices,
  judgeJobExecution,
  judgeJobIdentity,
  judgeJobKeys,
  judgeJobLimits,
  judgeJobNetwork,
  judgeJobSecrets,
  judgeJobSockets,
  judgeJobWrites,
} from '../../judges/job.js'
import type {Bench} from '../bench.js'
import {firstDisk, layeredDisk} from '../machine.js'
import type {Manipulation} from '../manipulation.js'
import {forbiddenPorts, outboundOf, outboundPorts} from '../ports.js'
import {guestMac, HostileHost} from '../wire/host.js'
import {layWire} from '../wire/wire.js'

const host = '10.77.0.2'
/** Ports that hardly anybody allows. */
const unusual = [22, 80, 443, 4444]

/** A line without what the journal puts before it on the console. */
const said = (line: string) => line.replace(/^\[ *\d+\.\d+\] job-probe\[\d+\]: /, '')

interface Job {
  facts: Facts
  attempts: readonly Attempt[]
  /** What systemd-analyze said; null where this host has none that can. */
  exposure: string | null
}

/** What the sandbox of an image is to be, of its own configuration. */
interface Sandbox {
  config: Config
  outbound: Outbound
  allowed: number[]
  forbidden: number[]
  /** TCP ports of rules that name link-local addresses, which no other rule opens. */
  metadata: number[]
}

function sandboxOf({subject}: Bench): Sandbox {
  const config = parseConfig(subject.image.manifest.config)
  const allowed = outboundPorts(subject, host)
  const named = (config.hardening.network.outbound ?? []).filter(({cidr}) => cidr?.startsWith('169.254.'))
  return {
    ...{config, allowed, outbound: outboundOf(subject), metadata: named.map(({port}) => port)},
    forbidden: forbiddenPorts(subject, host, unusual),
  }
}

/**
 * A copy of the image whose unit starts our program in place of FLARE, and its one boot.
 * @param takes whether it takes all it can get, which takes its time
 */
async function runJob(bench: Bench, takes: boolean): Promise<Job> {
  const {subject, settings} = bench
  const {image, scratch, signal} = subject
  const {config, allowed, forbidden} = sandboxOf(bench)
  const folder = join(scratch, 'job')
  const score = join(folder, 'exposure.txt')
  const copy = await makeVariant(
    {
      ...{image, rootKey: image.file('keys/root.key'), folder},
      change: async (tree) => [
        await planStep('attack/job-probe', {
          ...{tree, python: `${config.flare.venv}/bin/python3`, workspace: config.hardening.workspace, host, score},
          ...{site: config.layout.partitions['cc-ro']?.from ?? '/opt/cc/ro', group: config.os.user.gid},
          ...{allowed: allowed.map(String), forbidden: forbidden.map(String), ...(takes && {take: true})},
        }),
      ],
    },
    {reporter: new SilentReporter(), signal},
  )
  const disk = await layeredDisk(copy.file(`${copy.manifest.name}.qcow2`), join(scratch, 'attack/job'))
  const wire = await layWire()
  try {
    // It answers for every address and port, until the wire is taken away.
    const outside = new HostileHost(wire, {hostile: true})
    const {accelerator} = await settings.accelerator()
    const result = await bootAndWatch({
      vm: {
        ...{accelerator, memoryMiB: settings.memoryMiB, cpus: 1, kernel: copy.file('vmlinuz')},
        ...{initrd: copy.file('initrd.img'), cmdline: copy.manifest.cmdline, more: wire.words(guestMac)},
        ...{disks: [firstDisk(disk)], keys: developmentKeys(copy, copy.file('keys/root.key'))},
      },
      ...{timeoutMs: settings.timeoutMs + 720_000, signal, until: (line) => said(line).startsWith('CC-PROBE end ')},
      logFile: join(settings.logDir, 'job.log'),
    })
    // A machine that a job stalls does not come to the end: what was said before is evidence, what is missing fails.
    const facts = factsOf(result.lines.map(said))
    if (result.matched === null && facts['start'] === undefined)
      throw new Error(
        `${outside.attempts.length} packets, and the job does not come to its end: ${describeExit(result)}`,
      )
    return {facts, attempts: outside.attempts, exposure: existsSync(score) ? readFileSync(score, 'utf8') : null}
  } finally {
    wire.close()
  }
}

/** What code can do that another site sends: it runs as FLARE, in the sandbox of nvflare.service. */
export function jobManipulations(wanted: (manipulation: Manipulation) => boolean): Manipulation[] {
  let running: Promise<Job> | undefined
  const job = (bench: Bench) => (running ??= runJob(bench, wanted(limits)))
  const tries = 'tries it as a job, in the sandbox of nvflare.service'
  const one = (
    {id, title, action = tries, quick = false}: {id: string; title: string; action?: string; quick?: boolean},
    judge: (facts: Facts, sandbox: Sandbox, job: Job) => Verdict,
  ): Manipulation => ({
    ...{id, title, action, quick, group: 'job'},
    run: async (bench) => {
      const found = await job(bench)
      return judge(found.facts, sandboxOf(bench), found)
    },
  })
  const place = ({config: {hardening}}: Sandbox) => ({
    workspace: hardening.workspace,
    output: hardening.mounts.output ?? '/mnt/data/nvflare/output',
  })
  const limits = one(
    {
      id: 'job-limits',
      title: 'A job that takes all it can get is stopped, and the machine goes on',
      action: 'opens files, starts threads and takes memory until it is stopped',
    },
    (facts, {config}) => judgeJobLimits(facts, config.hardening.limits),
  )
  return [
    one({id: 'job-identity', title: 'A job has no privilege, and gains none'}, (facts, {config: {os}}) =>
      judgeJobIdentity(facts, os.user),
    ),
    one(
      {
        id: 'job-secrets',
        title: 'A job reads no secret of the machine, and sees no process of another user',
        quick: true,
      },
      (facts) => judgeJobSecrets(facts),
    ),
    one({id: 'job-keys', title: 'A job reads no private key but that of its site'}, (facts, sandbox) =>
      judgeJobKeys(facts, place(sandbox)),
    ),
    one({id: 'job-writes', title: 'A job writes to its own folders only'}, (facts, sandbox) =>
      judgeJobWrites(facts, place(sandbox)),
    ),
    one({id: 'job-execution', title: 'A job executes nothing that it wrote'}, (facts) => judgeJobExecution(facts)),
    one({id: 'job-calls', title: 'A job is refused the calls that reach deep into the kernel'}, (facts) =>
      judgeJobCalls(facts),
    ),
    one({id: 'job-sockets', title: 'A job opens no other sockets than those of the network'}, (facts, {config}) =>
      judgeJobSockets(facts, {netlink: config.hardening.netlink}),
    ),
    one({id: 'job-devices', title: 'A job opens no device of the machine'}, (facts) => judgeJobDevices(facts)),
    one(
      {id: 'job-network', title: 'A job connects to allowed ports only, and to no metadata service'},
      (_, {outbound, ...ports}, found) => judgeJobNetwork(found, {...outbound, ...ports, host}),
    ),
    limits,
    {
      ...{id: 'job-exposure', group: 'job', title: 'systemd-analyze calls the exposure of nvflare.service low'},
      action: 'systemd-analyze security --offline=true nvflare.service, on the tree of the image',
      run: async (bench) => {
        const analyzer = await analyzerOf()
        if (analyzer !== null) return skipped(analyzer)
        return judgeExposure({said: (await job(bench)).exposure ?? undefined})
      },
    },
  ]
}

/** Why this host cannot look at a unit of a tree, or null. */
async function analyzerOf(): Promise<string | null> {
  const help = await run(['systemd-analyze', '--help'], {collect: true, check: false}).catch(() => null)
  if (help?.exitCode !== 0) return 'this host has no systemd-analyze'
  return help.stdout.includes('--offline')
    ? null
    : 'systemd-analyze of this host is older than 250: it has no --offline'
}
