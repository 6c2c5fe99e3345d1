import {failed, passed} from 'cc-core/report'

import {judging} from './evidence.js'

/** A launch of an image on the hardware that it was built for, as it was seen from outside. */
export interface Launch {
  /** not-started: QEMU, or the firmware of the processor, refused. */
  exit: 'powered-off' | 'panicked' | 'running' | 'timed-out' | 'not-started'
  /** The console, without control characters. */
  lines: readonly string[]
  /** What QEMU said where it did not start. */
  said: string
  /** To the line that says that FLARE runs, or to the end; milliseconds. */
  ms: number
}

/** What only a machine says that has its keys. */
const up = /^cc: (hardened|ready)$|CC-(BOOT|HARDENED|READY) \{/
/** FLARE runs: production, and development. */
export const isReady = (line: string) => /^cc: ready$|CC-READY \{/.test(line)

const reasonOf = ({lines, exit, said}: Launch): string => {
  const reason = lines.findLast((line) => /cc: FAILED: |Kernel panic - not syncing/.test(line)) ?? lines.at(-1)
  return `${exit}: ${(exit === 'not-started' ? said : (reason ?? 'it said nothing')).slice(0, 300)}`
}

const judgingLaunch = judging<Launch>('exit', 'lines', 'said', 'ms')

/** A launch as it is meant: the keys are released, and FLARE starts. */
export const judgeReleased = judgingLaunch((launch) =>
  launch.exit === 'running' && launch.lines.some(isReady)
    ? passed(`FLARE runs after ${Math.round(launch.ms / 1000)} s`)
    : failed(`it did not start: ${reasonOf(launch)}`),
)

/**
 * The launch as it is meant, for a row that changes it: on a host where not even that one succeeds, a refusal has
 * another reason than the change.
 */
export const judgeUnchanged = judgingLaunch((launch) => {
  const verdict = judgeReleased(launch)
  if (verdict.status === 'passed') return verdict
  return {
    ...failed(`nothing follows from a refusal, since the unchanged image is not up: ${reasonOf(launch)}`),
    cause: 'released',
  }
})

export interface Refusal {
  /** What the machine says when it ends for the right reason. */
  reason: RegExp
  /** Whether the firmware of the processor may refuse to start it. */
  notStarted: boolean
}

/**
 * The words of QEMU where a command of the launch itself failed (target/i386/sev.c). Nothing follows from any other
 * failure, whatever names are in it. The second one comes after many lines about a table, which hide the first.
 */
const refusedLaunch = /SNP_LAUNCH_(START|UPDATE|FINISH) ret=-?\d+ fw_error=-?\d+|SEV-SNP: failed update CPUID page/

/** A launch that must not get its keys. That nothing was seen is not enough: it has to say why it ended. */
export const judgeRefused = judgingLaunch((launch, {reason, notStarted}: Refusal) => {
  const {lines, exit, said} = launch
  const came = lines.find((line) => up.test(line))
  if (came !== undefined) return failed(`it got its keys: ${came.slice(0, 100)}`)
  if (exit === 'not-started')
    return notStarted && refusedLaunch.test(said)
      ? passed(`the processor refused it: ${said.slice(0, 200)}`)
      : failed(`QEMU failed, and nothing follows from that: ${said.slice(0, 200)}`)
  const ended = exit === 'powered-off' || exit === 'panicked'
  const why = lines.findLast((line) => /cc: FAILED: |Kernel panic - not syncing/.test(line))
  if (!ended || why === undefined) return failed(`it gave no reason: ${reasonOf(launch)}`)
  return reason.test(why) ? passed(why.slice(0, 300)) : failed(`it ended for another reason: ${why.slice(0, 300)}`)
})

/** A machine that runs, while somebody types at its console. */
export const judgeTyped = judging<Launch & {typed: readonly string[]}>(
  'exit',
  'lines',
  'said',
  'ms',
  'typed',
)(({lines, exit, typed, ...rest}) => {
  if (exit !== 'running' || !lines.some(isReady)) return failed(`it did not start: ${reasonOf({lines, exit, ...rest})}`)
  const [text = ''] = typed
  if (text === '') return failed('nothing was typed')
  const answers = lines.filter((line) => /login:|password:|[#$] ?$|sysrq:|db>|uid=\d/i.test(line))
  return answers.length === 0
    ? passed(`no answer; typed ${typed.length} times: ${JSON.stringify(text)}`)
    : failed(`it answers: ${answers.join('; ').slice(0, 300)}`)
})

/** What was changed for a while outside of the machine. */
export interface Left {
  /** What remains where it was not put back, such as "the keys are still withdrawn". */
  still: string
  /** The command that puts it back. */
  command: string
}

/** What was changed outside of the machine is as before. */
export const judgePutBack = judging<{problem: string | null}>('problem')(({problem}, {still, command}: Left) =>
  problem === null
    ? passed('it is as before')
    : failed(`${still} (${problem || 'no reason'}): run ${command}`, command),
)
