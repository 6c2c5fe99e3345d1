import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'

import {skipped} from 'cc-core/report'

import {digestsOf, type Digests} from '../../image/measurement.js'
import {judgeMeasured} from '../../judges/measured.js'
import type {Bench} from '../bench.js'
import type {Machine} from '../machine.js'
import type {Manipulation} from '../manipulation.js'

interface MeasuredTampering extends Pick<Manipulation, 'id' | 'title' | 'action' | 'quick'> {
  prepare: (machine: Machine, bench: Bench) => Promise<void> | void
  impossible?: (bench: Bench) => string | null
}

/** The digests of the image as it is: the same for all manipulations of one bench. */
const ownDigests = new WeakMap<Bench, Promise<Digests>>()

function own(bench: Bench): Promise<Digests> {
  const {image} = bench.subject
  const digests =
    ownDigests.get(bench) ??
    digestsOf(bench.subject, {initrd: image.file('initrd.img'), cmdline: image.manifest.cmdline}, bench.subject.scratch)
  ownDigests.set(bench, digests)
  return digests
}

/** Manipulations that only a measured launch notices. */
export const measured = (entries: readonly MeasuredTampering[]): Manipulation[] =>
  entries.map(({prepare, impossible, ...about}) => ({
    ...about,
    group: 'initrd',
    async run(bench) {
      const reason = impossible?.(bench) ?? null
      if (reason !== null) return skipped(reason)
      const machine = await bench.machine(about.id)
      await prepare(machine, bench)
      const [before, after] = [await own(bench), await digestsOf(bench.subject, machine, machine.folder)]
      const boot = await bench.boot(machine, {
        until: (line) => bench.isUp(line) || line.includes('CC-OWNED'),
        timeoutMs: Math.min(bench.settings.timeoutMs, 120_000),
      })
      const different = await measuredParts(machine, bench)
      return judgeMeasured({different, own: before.entries, found: after.entries, firmware: after.firmware, boot})
    },
  }))

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
