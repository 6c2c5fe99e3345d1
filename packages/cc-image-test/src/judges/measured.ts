import type {BootResult} from 'cc-core/vm'

import {describeExit, shellLines} from './console-text.js'
import {broken, defended, judgingAttack} from './outcome.js'

/** A launch digest, as a platform reports it. */
export interface Digest {
  vcpus: number
  cpuType: string
  digest: string
}

export interface MeasuredLaunch {
  /** The parts of the launch that are not those of the image, in words. */
  different: readonly string[]
  /** Of the manipulated launch, and of the image as it is, with the same firmware. */
  found: readonly Digest[]
  own: readonly Digest[]
  /** "the firmware of the configuration", or what stands in for it. */
  firmware: string
  boot: BootResult
}

/**
 * What only a measured launch notices. Whoever chooses the initrd chooses the guest, so no program of the guest can
 * stand against that; what can is that the launch digest is another one, and that the key is released for one digest
 * only. The verdict states both: what the manipulation does where nobody measures, and what is measured.
 */
export const judgeMeasured = judgingAttack<MeasuredLaunch>(
  'different',
  'found',
  'own',
  'firmware',
  'boot',
)(({different, found, own, firmware, boot}) => {
  if (different.length === 0) return broken('nothing that is measured is different')
  if (own.length === 0) return broken('no launch digest of the image was computed')
  if (boot.lines.length === 0) return broken('the console is empty')
  const problems = own.flatMap(({vcpus, cpuType, digest}) => {
    const name = `${vcpus} processors of type ${cpuType}`
    const other = found.find((one) => one.vcpus === vcpus && one.cpuType === cpuType)
    if (other === undefined) return [`no launch digest was computed for ${name}`]
    if (![digest, other.digest].every((one) => /^[0-9a-f]{96}$/.test(one)))
      return [`the launch digest for ${name} is not a SHA-384: '${other.digest.slice(0, 20)}'`]
    return other.digest === digest ? [`the launch digest is that of the image for ${name}`] : []
  })
  if (problems.length > 0) return broken(problems.join('; '))
  const [before, after] = [own[0]?.digest, found[0]?.digest].map((digest) => `${digest?.slice(0, 16) ?? ''}…`)
  const digests = `${found.length} launch digests, computed with ${firmware}, all differ: ${after ?? ''}, not ${before ?? ''}`
  const owned = boot.lines.some((line) => line.includes('CC-OWNED')) || shellLines(boot.lines).length > 0
  const effect = owned
    ? 'where nobody measures, it takes effect'
    : `where nobody measures, ${boot.matched === null ? describeExit(boot) : 'the machine boots'}`
  return defended('measured', `the launch digest covers ${different.join(' and ')}; ${digests}; ${effect}`)
})
