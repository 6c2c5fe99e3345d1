// How long a build takes, beside mkosi for the same packages, and beside a plain copy for the smaller things.
//   npm run bench -- [--json FILE] [--iso FILE] [--runs N] [--cache DIR] [--only layers|hardened] [--sites N]
// Exits with 1 where mkosi cannot be run: then there is nothing to compare with.
import {randomBytes} from 'node:crypto'
import {stat, writeFile} from 'node:fs/promises'
import {availableParallelism, totalmem} from 'node:os'
import {join, resolve} from 'node:path'
import {parseArgs} from 'node:util'

import {sha256File} from 'cc-core/manifest'

import {asBuilder, install, makeLab, open, packages, prepareMkosi, removeLab, removeTree, standinIso} from './lab.js'
import {measureLayers, type LayerMeasurement} from './layers.js'
import type {Measurement} from './measure.js'
import {measureHardened, type HardenedMeasurement} from './hardened.js'
import {measureFlare, measureResize, measureSeal} from './stages.js'
import {comparison, fastest, formatMiB, formatSeconds, phasesOf, within, type Entry} from './report.js'

const {values} = parseArgs({
  options: {
    json: {type: 'string'},
    iso: {type: 'string'},
    runs: {type: 'string', default: '1'},
    cache: {type: 'string', default: '/var/tmp/cc-bench'},
    only: {type: 'string'},
    sites: {type: 'string', default: '10'},
  },
})
const sites = Math.max(Number.parseInt(values.sites, 10) || 10, 2)
const runs = Math.max(Number.parseInt(values.runs, 10) || 1, 1)
const cache = resolve(values.cache)

/**
 * What was promised, in seconds on two cores: the FLARE stage beside pip, and one more site; its MiB; the boot of a hardened
 * image as a multiple of that of the FLARE image; merging layers as a multiple of unsquashfs; the bytes that a hardened image
 * takes, and those that its seal writes, as a multiple of its content; and how many times faster than with ext4 it is sealed.
 */
const bounds = {flareRest: 20, site: 0.6, siteMiB: 25, boot: 1.5, layers: 1.2, stored: 0.45, written: 2.5, faster: 3}

const print = (line = '') => process.stdout.write(`${line}\n`)
const show = (name: string, measured: Measurement) => {
  print(`${name.padEnd(34)} ${formatSeconds(measured.seconds)}   peak ${formatMiB(measured.peakBytes)}`)
  return measured
}

const showLayers = (measured: readonly LayerMeasurement[]) => {
  for (const {layers, ours, reference, ratio} of measured) {
    show(`merge ${layers} layers of a server's size`, ours)
    const plain = formatSeconds(reference.seconds).trim()
    print(`  ${ratio.toFixed(2)} times unsquashfs of the same (${plain}): ${within(ratio, bounds.layers, ' times')}`)
  }
}

if (values.only !== undefined && !['layers', 'hardened'].includes(values.only))
  throw new Error(`--only: '${values.only}' is neither layers nor hardened`)

const lab = await makeLab(cache)
try {
  if (values.only === 'hardened') await measureHardenedOnly()
  else {
    const layers = await measureLayers(cache, lab)
    showLayers(layers)
    if (values.only === undefined) await measureAll(layers)
  }
} finally {
  await removeLab(lab)
}

/** A FLARE image, and hardened images of it. */
async function measureHardenedOnly(): Promise<void> {
  const iso = values.iso === undefined ? await standinIso(cache) : resolve(values.iso)
  await measureFlare(lab, iso)
  const hardened = await showHardened()
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(hardened, null, 2)}\n`)
}

async function showHardened(): Promise<HardenedMeasurement> {
  const hardened = await measureHardened(lab, join(lab, 'flare/nvflare_cc_image'), sites)
  const {roots, own, shared} = hardened
  const oneSite = Math.min(...hardened.eachSite)
  show(`\n${hardened.sites} hardened images in one run`, hardened.whole)
  print(`  one more site: ${formatSeconds(oneSite).trim()}, ${within(oneSite, bounds.site)}`)
  print(
    `  ${formatMiB(own).trim()}, ${within(own / 1024 ** 2, bounds.siteMiB, ' MiB')}; ${formatMiB(shared).trim()} for all`,
  )
  const boots = hardened.hardenedBoot / hardened.flareBoot
  const seconds = formatSeconds(hardened.hardenedBoot).trim()
  const bound = within(boots, bounds.boot, ' times')
  print(`  boot to the FLARE service ${seconds}, ${boots.toFixed(2)} times the boot of the FLARE image: ${bound}`)
  print(`\nthe root of one image, ${formatMiB(roots.content).trim()} of content:`)
  for (const name of ['ext4', 'squashfs'] as const) {
    const {seconds: took, stored, written} = roots[name]
    const parts = [
      formatSeconds(took).trim(),
      `${formatMiB(stored).trim()} stored`,
      `${formatMiB(written).trim()} written`,
    ]
    print(`  ${name.padEnd(9)} ${parts.join(', ')}`)
  }
  const [stored, written] = [roots.squashfs.stored / roots.content, roots.squashfs.written / roots.content]
  print(`  stored ${stored.toFixed(2)} of the content: ${within(stored, bounds.stored, '')}`)
  print(`  written ${written.toFixed(2)} of the content: ${within(written, bounds.written, '')}`)
  const faster = roots.ext4.seconds / roots.squashfs.seconds
  print(
    `  ${faster.toFixed(1)} times faster than ext4: ${faster >= bounds.faster ? 'within' : 'MISSES'} the bound of ${bounds.faster}`,
  )
  return hardened
}

async function measureAll(layers: readonly LayerMeasurement[]): Promise<void> {
  const iso = values.iso === undefined ? await standinIso(cache) : resolve(values.iso)
  const output = (run: number) => join(lab, `build-${run}`)
  const machine = `${availableParallelism()} cores, ${formatMiB(totalmem()).trim()}, Node ${process.versions.node}`
  print(`${machine}; ${packages.length} packages and what they depend on; ${runs} run(s) of each builder`)

  const mkosi = await prepareMkosi(cache)
  if (typeof mkosi === 'string') {
    print(`no comparison: ${mkosi}`)
    process.exitCode = 1
  }

  // By turns, so that whatever else the machine does meets both.
  const ours: Measurement[] = []
  const theirs: Measurement[] = []
  for (let run = 0; run < runs; run += 1) {
    await sha256File(iso) // into the page cache
    if (run > 0) await removeTree(join(lab, 'work'))
    ours.push(show('cc-image-installer, ISO to qcow2', await install(lab, ['--iso', iso, '--output', output(run)])))
    if (typeof mkosi === 'string') continue
    theirs.push(show(`${mkosi.version}, packages to LUKS root`, await mkosi.build()))
  }
  const best = fastest(ours)
  const ratio = theirs.length === 0 ? null : best.seconds / fastest(theirs).seconds
  if (ratio !== null) print(`ratio of the fastest runs: ${ratio.toFixed(2)} (ours / mkosi)`)

  print('\nthe steps of our fastest run:')
  const phases = phasesOf(best.stderr)
  for (const {title, seconds} of phases) if (seconds >= 0.1) print(`  ${formatSeconds(seconds)}  ${title}`)

  // The smaller things, each beside the plainest program that touches the same bytes.
  const last = join(output(runs - 1), 'confidential_computing_image')
  const qcow2 = join(last, 'confidential_computing_image.qcow2')
  const again = ['--iso', iso, '--output', output(runs - 1)]
  const copy = await asBuilder(['cp', '--reflink=never', qcow2, join(lab, 'copy')])
  const hash = await asBuilder(['sha256sum', qcow2])
  const key = join(lab, 'other.key')
  await asBuilder(['install', '-m', '600', '/dev/null', key])
  await writeFile(key, randomBytes(32))
  const entries: Entry[] = [
    {name: 'the same again, nothing to do', ours: await install(lab, again), reference: hash, beside: 'sha256sum'},
    {name: 'seal only (another key)', ours: await install(lab, [...again, '--root-key', key]), reference: copy},
    {name: 'open', ours: await open(last, join(lab, 'opened')), reference: copy},
    {
      name: 'another host name, packages cached',
      ours: await install(lab, [...again, '--set', 'os.hostname=other']),
      reference: best,
      beside: 'the whole build',
    },
  ]
  print()
  for (const entry of entries) {
    show(entry.name, entry.ours)
    print(`  ${comparison(entry)}`)
  }
  print(`  (the qcow2 has ${formatMiB((await stat(qcow2)).size).trim()})`)

  print()
  const flare = await measureFlare(lab, iso)
  show(`nvflare-cc-builder on a base of ${formatMiB(flare.content).trim()}`, flare.whole)
  const rest = flare.whole.seconds - flare.pip.seconds
  print(`  beyond pip alone (${formatSeconds(flare.pip.seconds).trim()}, same packages and cache):`)
  print(`  ${formatSeconds(rest).trim()}, ${within(rest, bounds.flareRest)}`)
  print(`  our steps without those of pip: ${formatSeconds(flare.steps).trim()}`)
  const large = await stat(join(lab, 'flare/nvflare_cc_image/nvflare_cc_image.qcow2'))
  print(`  a disk of 40 GiB takes ${formatMiB(large.blocks * 512).trim()}`)
  const seal = await measureSeal(lab, join(lab, 'flare/nvflare_cc_image'))
  const perGiB = (seconds: number) => (seconds / seal.bytes) * 1024 ** 3
  print(`\nopen and seal a FLARE image of ${formatMiB(seal.bytes).trim()}; seconds for each GiB of content:`)
  print(`  open ${formatSeconds(perGiB(seal.opened)).trim()}, seal ${formatSeconds(perGiB(seal.whole)).trim()}`)
  print(`  what all sites share ${formatSeconds(perGiB(seal.prepare)).trim()}`)
  print(`  one more site ${formatSeconds(perGiB(seal.alone)).trim()}`)
  print(`  each of ${seal.others} at once ${formatSeconds(perGiB(seal.together / seal.others)).trim()}`)
  const hardened = await showHardened()
  print('\ngrow an image to 40 GiB:')
  const resize = process.getuid?.() === 0 ? await measureResize(cache, last) : 'virt-resize needs root for its chroot'
  print(resize.trimEnd())

  if (values.json !== undefined) {
    const numbers = ({seconds, peakBytes}: Measurement) => ({seconds, peakBytes})
    const result = {
      machine,
      layers: layers.map(({ours: mine, reference, ...rest}) => ({
        ...rest,
        ...numbers(mine),
        unsquashfs: reference.seconds,
      })),
      packages,
      ours: {runs: ours.map(numbers), phases},
      mkosi: typeof mkosi === 'string' ? {missing: mkosi} : {version: mkosi.version, runs: theirs.map(numbers)},
      ratio,
      entries: entries.map(({name, ours: mine, reference, beside = 'cp'}) => ({
        name,
        ...numbers(mine),
        reference: {name: beside, seconds: reference.seconds},
      })),
      flare: {...numbers(flare.whole), pip: flare.pip.seconds, rest, steps: flare.steps, content: flare.content},
      seal,
      hardened: {...hardened, whole: numbers(hardened.whole)},
      resize,
    }
    await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`)
  }
}
