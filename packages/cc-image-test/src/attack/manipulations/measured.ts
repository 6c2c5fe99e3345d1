import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'

import {skipped} from 'cc-core/report'

import {describeExit, shellLines} from '../../image/console.js'
import {measureLaunch} from '../../image/measurement.js'
import type {Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import {broken, defended, type Manipulation} from '../manipulation.js'

interface MeasuredTampering extends Pick<Manipulation, 'id' | 'title' | 'action' | 'quick'> {
  prepare: (machine: Machine, bench: Bench) => Promise<void> | void
  impossible?: (bench: Bench) => string | null
}

/**
 * What only a measured launch notices. Whoever chooses the initrd chooses the guest, so no program of the guest can
 * stand against that; what can is that the launch digest is another one, and that the key is released for one digest
 * only. Both is said: what the manipulation does where nobody measures, and what is measured.
 */
export const measured = (entries: readonly MeasuredTampering[]): Manipulation[] =>
  entries.map(({prepare, impossible, ...about}) => ({
    ...about,
    group: 'initrd',
    async run(bench) {
      const reason = impossible?.(bench) ?? null
      if (reason !== null) return skipped(reason)
      const machine = await bench.machine(about.id)
      await prepare(machine, bench)
      const different = await measuredParts(machine, bench)
      if (different.length === 0) return broken('nothing that is measured is different')
      const boot = await bench.boot(machine, {
        until: (line) => bench.isUp(line) || line.includes('CC-OWNED'),
        timeoutMs: Math.min(bench.settings.timeoutMs, 120_000),
      })
      const owned = boot.lines.some((line) => line.includes('CC-OWNED')) || shellLines(boot.lines).length > 0
      const effect = owned
        ? 'where nobody measures, it takes effect'
        : `here it comes to this: ${boot.matched === null ? describeExit(boot) : 'the machine comes up'}`
      const {computed, same} = await compareDigests(machine, bench)
      if (same.length > 0) return broken(`the launch digest is that of the image for ${same.join(', ')}`)
      const digests = computed === 0 ? '' : `; all ${computed} digests, computed with the firmware, are others`
      return defended('measured', `the launch digest covers ${different.join(' and ')}${digests}; ${effect}`)
    },
  }))

/** How many launch digests could be computed here, and the processors for which one is still that of the image. */
async function compareDigests(machine: Machine, {subject}: Bench): Promise<{computed: number; same: string[]}> {
  const {entries = []} = (await measureLaunch(subject, machine, machine.folder)) ?? {}
  const expected = new Set(subject.image.manifest.measurement?.entries.map(({digest}) => digest))
  const same = entries
    .filter(({digest}) => expected.has(digest))
    .map(({vcpus, cpuType}) => `${vcpus} processors of type ${cpuType}`)
  return {computed: entries.length, same}
}

/** The parts of the SEV hash table (sha256 of kernel, initrd and command line) that are not those of the image. */
async function measuredParts({initrd, cmdline}: Machine, {subject}: Bench): Promise<string[]> {
  const {manifest} = subject.image
  const parts: string[] = []
  const found = createHash('sha256')
    .update(await readFile(initrd))
    .digest('hex')
  const expected = manifest.artefacts['initrd.img']?.sha256
  if (found !== expected) parts.push(`the initrd: ${found.slice(0, 16)}…, not ${expected?.slice(0, 16) ?? 'none'}…`)
  if (cmdline !== manifest.cmdline) parts.push('the command line')
  return parts
}
