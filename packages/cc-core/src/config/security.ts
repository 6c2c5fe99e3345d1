import {CcError} from '../errors/index.js'
import {ownParameters} from '../cmdline/index.js'
import {policyBits, refusedParameter} from './security-words.js'
import type {Config} from './schema.js'

type Problem = [wrong: boolean, key: string, reason: string]

/**
 * Refuses values with a meaning for security: contradictions in every profile, and in the profile `production`
 * whatever opens the image to the host.
 * @throws CcError E_CONFIG that names every value with its reason
 */
export function checkSecurity(config: Config): void {
  const problems = securityProblems(config)
  if (problems.length === 0) return
  throw new CcError('E_CONFIG', problems.join('; '), {
    suggestions: ['docs/threat-model.md lists what a production image refuses; profile: development to try things out'],
  })
}

/** Every value that is refused, as `KEY: reason`. */
export function securityProblems(config: Config): string[] {
  const checks = [...contradictions(config), ...(config.profile === 'production' ? opened(config) : [])]
  return checks.flatMap(([wrong, key, reason]) => (wrong ? [`${key}: ${reason}`] : []))
}

const has = (policy: string, bit: bigint) => (BigInt(policy) & bit) !== 0n
const usesDerived = ({layout}: Config) => Object.values(layout.partitions).some(({key}) => key === 'tee-derived')

function contradictions(config: Config): Problem[] {
  const {teeDerived, launch} = config
  return [
    [
      usesDerived(config) && teeDerived.rootKey === 'vmrk' && !has(launch.policy, policyBits.migrationAgent),
      'teeDerived.rootKey',
      `'vmrk' comes from a migration agent, and launch.policy '${launch.policy}' allows none`,
    ],
    [
      usesDerived(config) && (teeDerived.svn ?? 0) > (launch.idBlock?.svn ?? 0),
      'teeDerived.svn',
      `the firmware derives no key for ${teeDerived.svn ?? 0}: launch.idBlock.svn is ${launch.idBlock?.svn ?? '0 without an ID block'}`,
    ],
    [
      launch.idBlock !== null && launch.ovmf === null,
      'launch.idBlock',
      'without launch.ovmf there is no measurement to put into it',
    ],
  ]
}

/** What a development image may do, and what would hand a production image to the host. */
function opened(config: Config): Problem[] {
  const {teeDerived, launch, boot, layout} = config
  const root = layout.partitions['cc-root']
  const refused = "profile 'production' refuses it"
  return [
    [
      has(launch.policy, policyBits.debug),
      'launch.policy',
      `'${launch.policy}' lets the host debug the guest and read its memory (bit 0x80000); ${refused}`,
    ],
    [
      has(launch.policy, policyBits.migrationAgent),
      'launch.policy',
      `'${launch.policy}' lets a migration agent export the guest (bit 0x40000); ${refused}`,
    ],
    [
      usesDerived(config) && teeDerived.rootKey === 'vmrk',
      'teeDerived.rootKey',
      `'vmrk' is a key that the host's migration agent chooses; ${refused}`,
    ],
    [
      usesDerived(config) && !teeDerived.fields.includes('policy'),
      'teeDerived.fields',
      `without 'policy' a launch with debugging gets the same key, got '${teeDerived.fields.join(', ')}'; ${refused}`,
    ],
    [
      root?.encryption === 'none' && root.integrity === 'none',
      'layout.partitions.cc-root',
      `without encryption and without 'verity' the host can change the system; ${refused}`,
    ],
    ...boot.cmdline.map((word): Problem => {
      const reason = refusedParameter(word, ownParameters())
      return [reason !== null, 'boot.cmdline', `'${word}' ${reason ?? ''}; ${refused}`]
    }),
    ...keyFiles(layout.partitions).map(([name, keyFile, mount]): Problem => [
      true,
      `layout.partitions.${name}.keyFile`,
      `'${keyFile}' lies on ${mount}, which is not encrypted; ${refused}`,
    ]),
  ]
}

/** Key files that lie on a partition that the host can read: [partition, file, partition that holds it]. */
function keyFiles(partitions: Config['layout']['partitions']): [string, string, string][] {
  const entries = Object.entries(partitions)
  return entries.flatMap(([name, {keyFile}]) => {
    if (keyFile === null) return []
    const holders = entries.filter(([, {mount}]) => keyFile.startsWith(mount === '/' ? '/' : `${mount}/`))
    const [holder] = holders.sort(([, one], [, other]) => other.mount.length - one.mount.length)
    // The default file of cc-out is optional: a root in the clear simply has none.
    if (holder === undefined || holder[0] === 'cc-root' || holder[1].encryption === 'luks2') return []
    return [[name, keyFile, holder[0]] satisfies [string, string, string]]
  })
}

/**
 * Parts of the TCB for which any version is accepted. Not `tee`: the version of that part is 0 on processors that are up to
 * date, too.
 */
export const openTcbParts = (minimumTcb: Readonly<Record<string, number>>): string[] =>
  ['bootloader', 'snp', 'microcode'].filter((part) => !((minimumTcb[part] ?? 0) > 0))

/** Values that a production image may have, and that its builder should have meant: lines for a warning. */
export function securityWarnings({profile, launch, hardening, layout, kbs}: Config): string[] {
  if (profile !== 'production') return []
  const warnings: [boolean, string][] = [
    [launch.ovmf === null, 'no expected measurement: nobody can tell what was launched; set launch.ovmf'],
    [
      hardening.role !== null && hardening.lockdown === 'none',
      "hardening.lockdown is 'none': root can write the kernel's memory and load unsigned modules before they are locked",
    ],
    [
      Object.values(layout.partitions).some(({key}) => key === 'kbs') && openTcbParts(kbs.policy.minimumTcb).length > 0,
      `a machine with old firmware, whose holes are known, gets the keys; set ${openTcbParts(kbs.policy.minimumTcb)
        .map((part) => `kbs.policy.minimumTcb.${part}`)
        .join(', ')}`,
    ],
    [hardening.setuid.length > 0, `hardening.setuid keeps the bit on ${hardening.setuid.join(', ')}`],
    [
      hardening.role !== null && hardening.logs !== 'none',
      `hardening.logs is '${hardening.logs}': the host reads FLARE's log`,
    ],
    ...Object.entries(layout.partitions).map(([name, {plainAllowed}]): [boolean, string] => [
      plainAllowed,
      `layout.partitions.${name}.plainAllowed: without a key it is used in the clear`,
    ]),
  ]
  return warnings.flatMap(([applies, text]) => (applies ? [`a production image: ${text}`] : []))
}
