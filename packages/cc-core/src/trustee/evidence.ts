import type {PolicyEntry} from './entry.js'

/** A question to a resource policy, and the only right answer. */
export interface EvidenceRow {
  id: string
  /** Who asks, and with what. */
  title: string
  released: boolean
  /** What the broker adds as data: plugin, path and query of the request. */
  data: Record<string, unknown>
  /** Claims of the token, as the policy sees them. */
  input: Record<string, unknown>
}

type Claims = Record<string, unknown>

const evidenceKey = 'ear.veraison.annotated-evidence'
const otherDigest = 'f'.repeat(96)

/** A GPU in confidential-computing mode, as NVIDIA's remote attestation service describes it. */
const goodGpu = gpuSubmodule({})

function gpuSubmodule(claims: Claims, status = 'affirming'): Claims {
  return {
    'ear.status': status,
    [evidenceKey]: {nvidia: {secboot: true, dbgstat: 'disabled', measres: 'success', ...claims}},
  }
}

const processor = (evidence: Claims): Claims => ({'ear.status': 'warning', [evidenceKey]: evidence})

/**
 * The table of what may and what may not get a key of an image: the good guest, and everyone who is to get nothing.
 * @param entry what the policy says of the image; it needs a path and a digest
 */
export function evidenceTable(entry: PolicyEntry): EvidenceRow[] {
  const [path = []] = entry.paths
  const snp = goodClaims(entry)
  const gpus: Claims = entry.gpu === 'required' ? {gpu0: goodGpu} : {}
  const request = (at: readonly string[] = path, plugin = 'resource') => ({plugin, 'resource-path': at, query: {}})
  const guest = (claims: Claims, others: Claims = gpus) => ({submods: {cpu0: processor({snp: claims}), ...others}})
  const row = (id: string, title: string, input: Claims, data = request(), released = false): EvidenceRow => ({
    ...{id, title, released, data, input},
  })
  const bad = (id: string, title: string, changes: Claims) => row(id, title, guest({...snp, ...changes}))

  return [
    ...entry.paths.map((at) =>
      row(`good-${at.join('-')}`, `The image asks for ${at.join('/')}`, guest(snp), request(at), true),
    ),
    ...entry.digests.map((measurement, index) =>
      row(
        `good-digest-${index}`,
        'The image, launched in each measured way',
        guest({...snp, measurement}),
        request(),
        true,
      ),
    ),
    bad('other-image', 'Another image', {measurement: otherDigest}),
    bad('debug', 'The image, launched with debugging', {policy_debug_allowed: true}),
    bad('migration', 'The image, launched with a migration agent', {policy_migrate_ma: true}),
    bad('smt', 'The image, launched with another rule for SMT', {policy_smt_allowed: !entry.smtAllowed}),
    bad('sockets', 'The image, launched with another rule for sockets', {policy_single_socket: !entry.singleSocket}),
    ...tcbRows(entry, bad),
    ...(entry.hostData === null
      ? []
      : [bad('host-data', 'The image, launched with other HOST_DATA', {init_data: otherDigest})]),
    ...(entry.chipIds === null ? [] : [bad('chip', 'The image on another processor', {chip_id: otherDigest})]),
    row(
      'other-site',
      'The image asks at the path of another site',
      guest(snp),
      request(['default', 'other', 'cc-root']),
    ),
    row('longer-path', 'The image asks at a path with more parts', guest(snp), request([...path, 'more'])),
    row('no-path', 'The image asks without a path', guest(snp), request([])),
    row('plugin', 'The image asks another service of the broker', guest(snp), request(path, 'pkcs11')),
    row('two-processors', 'Evidence of two processors', guest(snp, {...gpus, cpu1: processor({snp})})),
    row('other-processor', 'Evidence of a processor with another name', {submods: {cpu1: processor({snp}), ...gpus}}),
    row('unknown-device', 'Evidence of an unknown device beside', guest(snp, {...gpus, tpm0: processor({tpm: {}})})),
    row('sample', 'Evidence that is made up (sample)', {submods: {cpu0: processor({sample: {svn: '1'}}), ...gpus}}),
    row('sample-beside', 'Made-up evidence beside that of the processor', {
      submods: {cpu0: processor({snp, sample: {}}), ...gpus},
    }),
    row('no-claims', 'A token without claims', {}),
    row('no-submodules', 'A token without evidence', {submods: {}}),
    row('list', 'Evidence as a list', {submods: [processor({snp})]}),
    row('other-tee', 'Evidence of another kind of TEE', {submods: {cpu0: processor({tdx: snp}), ...gpus}}),
    ...neededClaims(entry).map((name) =>
      row(
        `without-${name}`,
        `Evidence without ${name}`,
        guest(Object.fromEntries(Object.entries(snp).filter(([key]) => key !== name))),
      ),
    ),
    ...neededClaims(entry).map((name) => bad(`list-${name}`, `Evidence with ${name} as a list`, {[name]: [snp[name]]})),
    ...neededClaims(entry)
      .filter((name) => typeof snp[name] !== 'string')
      .map((name) => bad(`text-${name}`, `Evidence with ${name} as text`, {[name]: String(snp[name])})),
    bad('number-debug', 'Evidence with debugging as a number', {policy_debug_allowed: 0}),
    bad('number-migration', 'Evidence with the migration agent as a number', {policy_migrate_ma: 0}),
    bad('upper-case', 'Evidence with the digest in capitals', {
      measurement: String(snp['measurement']).toUpperCase() + ' ',
    }),
    ...gpuRows(entry, (id, title, others, released) => row(id, title, guest(snp, others), request(), released)),
  ]
}

/** The claims that Trustee makes of a report, for the oldest firmware that the entry accepts. */
function goodClaims({digests, smtAllowed, singleSocket, minimumTcb, hostData, chipIds}: PolicyEntry): Claims {
  return {
    policy_abi_major: 0,
    policy_abi_minor: 31,
    policy_smt_allowed: smtAllowed,
    policy_migrate_ma: false,
    policy_debug_allowed: false,
    policy_single_socket: singleSocket,
    reported_tcb_bootloader: minimumTcb.bootloader,
    reported_tcb_tee: minimumTcb.tee,
    reported_tcb_snp: minimumTcb.snp,
    reported_tcb_microcode: minimumTcb.microcode,
    platform_tsme_enabled: true,
    platform_smt_enabled: true,
    measurement: digests[0] ?? '',
    report_data: '0'.repeat(128),
    init_data: hostData?.[0] ?? '0'.repeat(64),
    chip_id: chipIds?.[0] ?? '0'.repeat(128),
  }
}

/** Claims without which nothing is released. */
const neededClaims = ({hostData, chipIds}: PolicyEntry): string[] => [
  ...['measurement', 'policy_debug_allowed', 'policy_migrate_ma', 'policy_smt_allowed', 'policy_single_socket'],
  ...['reported_tcb_bootloader', 'reported_tcb_tee', 'reported_tcb_snp', 'reported_tcb_microcode'],
  ...(hostData === null ? [] : ['init_data']),
  ...(chipIds === null ? [] : ['chip_id']),
]

/** One row for each part that has a least version; nothing is older than version 0. */
const tcbRows = (
  {minimumTcb}: PolicyEntry,
  bad: (id: string, title: string, changes: Claims) => EvidenceRow,
): EvidenceRow[] =>
  Object.entries(minimumTcb).flatMap(([part, least]) =>
    least === 0 ? [] : [bad(`old-${part}`, `A machine with an old ${part}`, {[`reported_tcb_${part}`]: least - 1})],
  )

function gpuRows(
  {gpu}: PolicyEntry,
  row: (id: string, title: string, others: Claims, released: boolean) => EvidenceRow,
): EvidenceRow[] {
  const good = row('gpu', 'The image with a good GPU', {gpu0: goodGpu}, gpu !== 'refused')
  const none = row('no-gpu', 'The image without a GPU', {}, gpu !== 'required')
  const bad: [string, string, Claims][] = [
    ['gpu-status', 'The image with a GPU that was not appraised', gpuSubmodule({}, 'warning')],
    ['gpu-boot', 'The image with a GPU without secure boot', gpuSubmodule({secboot: false})],
    ['gpu-debug', 'The image with a GPU that is debugged', gpuSubmodule({dbgstat: 'enabled'})],
    ['gpu-measurement', 'The image with a GPU with other firmware', gpuSubmodule({measres: 'fail'})],
    ['gpu-claims', 'The image with a GPU without claims', {'ear.status': 'affirming'}],
    ['gpu-text', 'The image with a GPU with claims as text', gpuSubmodule({secboot: 'true'})],
  ]
  return [
    good,
    none,
    ...bad.map(([id, title, submodule]) => row(id, title, {gpu0: submodule}, false)),
    row(
      'gpu-second',
      'The image with a good GPU and a bad one',
      {gpu0: goodGpu, gpu1: gpuSubmodule({}, 'none')},
      false,
    ),
  ]
}
