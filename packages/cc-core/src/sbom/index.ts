import {createHash} from 'node:crypto'

import type {Manifest} from '../manifest/index.js'

/** What an SBOM says of the image itself. */
export interface SbomImage {
  name: string
  /** Name and version of the command that made it. */
  tool: string
  /** A UUID that follows from the content of the image. */
  serial: string
  created: Date
}

/** @param image an image, which is the same whenever it is built again */
export function sbomImage({
  name,
  tool,
  buildKey,
  sourceDateEpoch,
}: Pick<Manifest, 'name' | 'tool' | 'buildKey' | 'sourceDateEpoch'>): SbomImage {
  const hex = createHash('sha256').update(`sbom ${buildKey}`).digest('hex')
  // Version 8, RFC 9562: of our own making.
  const variant = '89ab'[parseInt(hex.charAt(16), 16) % 4] ?? '8'
  const serial = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ]
  return {name, tool, serial: serial.join('-'), created: new Date(sourceDateEpoch * 1000)}
}

export {cycloneDx} from './cyclonedx.js'
export {componentsOf, type Component} from './software.js'
export {spdx} from './spdx.js'
