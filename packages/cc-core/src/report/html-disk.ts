import {formatBytes} from './bytes.js'
import {escapeMarkup as escape} from './escape.js'
import type {Report, ReportPartition} from './report.js'

const width = 1000
const height = 28
/** Of what is verified besides being encrypted: a band at the lower edge. */
const band = 7
/** A partition that is too small to scale is still there. */
const least = 3

/** The disk to scale, as a picture in the page: where each partition lies, and how it is protected. */
export function diskMap({bytes, partitions}: NonNullable<Report['disk']>): string {
  const words = partitions.map(({name, protection}) => `${name}: ${protection}`).join('; ')
  return (
    `<svg class="map" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(words)}">` +
    `<rect class="free" width="${width}" height="${height}" rx="4"/>` +
    `${partitions.map((partition) => place(partition, bytes)).join('')}</svg>`
  )
}

function place({name, start, size, mount, protection, kind}: ReportPartition, bytes: number): string {
  const at = (offset: number) => Math.round((width * offset * 10) / bytes) / 10
  const [x, wide] = [at(start), Math.max(least, at(size) - 1)]
  const title = `${name} at ${mount}: ${protection}, ${formatBytes(size)} from ${formatBytes(start)}`
  const verified = kind === 'encrypted' && protection.includes('dm-verity')
  return (
    `<g><title>${escape(title)}</title><rect class="${kind}" x="${x}" width="${wide}" height="${height}"/>` +
    `${verified ? `<rect class="tree" x="${x}" y="${height - band}" width="${wide}" height="${band}"/>` : ''}</g>`
  )
}
