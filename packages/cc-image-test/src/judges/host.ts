import {isAtLeast} from 'cc-core/host'
import {failed, passed, skipped} from 'cc-core/report'

import {judging} from './evidence.js'

export const judgeVersion = judging<{found: string}>('found')((
  {found},
  {oldest, fix}: {oldest: string; fix: string},
) => {
  if (!/^\d+(\.\d+)+$/.test(found)) return failed(`it does not say its version: '${found.slice(0, 100)}'`, fix)
  return isAtLeast(found, oldest) ? passed(found) : failed(`it is ${found}`, fix)
})

export interface Programs {
  /** Where each is; null for nowhere. */
  places: Readonly<Record<string, string | null>>
  /** A sentence for each that is too old. */
  old: readonly string[]
  /** Of the one that has to have one; else empty. */
  version: string
}

/** The programs of one package. */
export const judgePrograms = judging<Programs>(
  'places',
  'old',
  'version',
)(({places, old, version}, expected: {programs: readonly string[]; install: string; newer: string}) => {
  const {programs, install, newer} = expected
  const missing = programs.filter((program) => (places[program] ?? '') === '')
  if (missing.length > 0 || programs.length === 0) return failed(`missing: ${missing.join(', ')}`, install)
  if (old.length > 0) return failed(old.join('; '), newer)
  const found = programs.map((program) => places[program]).join(', ')
  return passed(version === '' ? found : `${found}: ${version}`)
})

/** Something that this host may lack; null for nothing. */
export const judgeProblem = judging<{problem: {message: string; fix: string} | null}>('problem')(
  ({problem}, {detail}: {detail: string}) => (problem === null ? passed(detail) : failed(problem.message, problem.fix)),
)

export const judgeRoundTrip = judging<{content: string}>('content')(({content}, {written}: {written: string}) =>
  content === written && written !== ''
    ? passed('byte for byte, in a namespace')
    : failed('a file came back with other content', 'see what the steps say: --verbose'),
)

export const judgeSpace = judging<{free: number; place: string}>(
  'free',
  'place',
)(({free, place}, {needed}: {needed: number}) => {
  const detail = `${gibibytes(free)} free at ${place}, a base image needs ${gibibytes(needed)} while it is built`
  return free >= needed
    ? passed(detail)
    : failed(detail, 'free some space, or build elsewhere: --output and --work-dir')
})

const gibibytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`

/** KVM is a comfort: without it boots run under TCG, which is slower and shows the same. */
export const judgeKvm = judging<{accelerator: string; reason: string}>(
  'accelerator',
  'reason',
)(({accelerator, reason}, {user}: {user: string}) => {
  if (accelerator === 'kvm') return passed(reason)
  if (accelerator !== 'tcg') return failed(`there is no accelerator '${accelerator}'`, 'install QEMU')
  const mine = `sudo usermod --append --groups kvm ${user}`
  return {...skipped(`TCG will be used: ${reason}`), ...(reason.includes('by this user') && {fix: mine})}
})

/** Images are built on any host; only the one that runs them confidentially needs this. */
export const judgeSevSnp = judging<{parameter: string; flags: readonly string[]}>(
  'parameter',
  'flags',
)(({parameter, flags}) => {
  if (parameter === 'Y' || parameter === '1') return passed('kvm_amd has SEV-SNP enabled')
  if (flags.length === 0) return failed('the processor does not say what it can', 'mount /proc')
  return flags.includes('sev_snp')
    ? skipped('the processor has SEV-SNP, and it is not enabled in firmware or kernel')
    : skipped('not this processor: images can be built and tested here, and run confidentially elsewhere')
})
