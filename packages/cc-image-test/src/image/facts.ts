import type {Manifest, ManifestPartition} from 'cc-core/manifest'
import {formatBytes, type Report, type ReportPartition} from 'cc-core/report'
import {inspectDisk, parseBootReport} from 'cc-core/vm'

import type {Boots} from './boots.js'
import type {ImageUnderTest} from './under-test.js'

type Fact = Report['facts'][number]

/** What is known of an image, for the report. A fact that cannot be had is left out: its check says why. */
export async function imageFacts({image, disk}: ImageUnderTest, boots: Boots): Promise<Fact[]> {
  const {manifest} = image
  const {distribution, source, profile, stage, tool, buildKey, artefacts, packages, partitions, measurement} = manifest
  const size = await inspectDisk(disk).catch(() => null)
  const kernel = boots.impossible === null ? await kernelOf(boots) : null
  const facts: [string, string | null][] = [
    ['Image', manifest.name],
    ['Stage', `${stage}, ${profile}, by ${tool}`],
    ['Distribution', `${distribution}, from ${source.label}, ${packages.length} packages`],
    ['Kernel', kernel],
    ['Disk', size && `${formatBytes(size.virtualSize)}, of which ${formatBytes(size.actualSize)} are stored`],
    ['Build key', buildKey],
    ...(measurement?.entries ?? []).map(({vcpus, cpuType, digest}): [string, string] => [
      `Measurement, ${vcpus} × ${cpuType}`,
      digest,
    ]),
    ...Object.entries(artefacts).map(([name, {sha256, bytes}]): [string, string] => [
      name,
      `${sha256}, ${formatBytes(bytes)}`,
    ]),
    ...partitions.flatMap(({name, content, verity}): [string, string][] => [
      ...(content === null ? [] : [[`${name}, sha256`, content.sha256] as [string, string]]),
      ...(verity === null ? [] : [[`${name}, root hash`, verity.rootHash] as [string, string]]),
    ]),
  ]
  return facts.flatMap(([label, value]) => (value === null ? [] : [{label, value}]))
}

async function kernelOf(boots: Boots): Promise<string | null> {
  try {
    // Nothing is booted for a fact alone.
    const matched = (await boots.made())?.matched
    return matched == null ? null : parseBootReport(matched).kernel
  } catch {
    return null
  }
}

/** The disk for the picture in the report. */
export function pictureOf({disk, partitions}: Manifest): NonNullable<Report['disk']> {
  return {
    bytes: disk.bytes,
    partitions: partitions.map((partition) => {
      const {name, start, size, mount} = partition
      return {name, start, size, mount, protection: protectionOf(partition), kind: kindOf(partition)}
    }),
  }
}

function kindOf({encryption, integrity}: ManifestPartition): ReportPartition['kind'] {
  if (encryption === 'on-demand') return 'on-demand'
  if (encryption === 'luks2') return 'encrypted'
  return integrity === 'verity' ? 'verified' : 'plain'
}

function protectionOf({encryption, integrity, key, mount}: ManifestPartition): string {
  if (mount === 'none') return 'EFI system partition'
  const words = [
    {none: '', luks2: 'LUKS2', 'on-demand': 'LUKS2 on demand'}[encryption],
    {none: '', verity: 'dm-verity', hmac: 'authenticated'}[integrity],
  ].filter(Boolean)
  return `${words.join(' + ') || 'unprotected'}${key === null ? '' : `, key: ${key}`}`
}
