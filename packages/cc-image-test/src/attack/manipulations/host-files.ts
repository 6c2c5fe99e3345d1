import {mkdir, symlink, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

import {exceptMount, mountOf} from '../../judges/guest-state.js'
import type {Machine} from '../machine.js'
import {tampered, type Tampering} from './tampered.js'

const mebibyte = 1024 ** 2

/** A disk of the host with a file system that has links out of it. */
async function linkDisk(machine: Machine, serial: string, links: Readonly<Record<string, string>>): Promise<void> {
  const content = join(machine.folder, `${serial}-content`)
  const file = join(machine.folder, `${serial}.raw`)
  await mkdir(content, {recursive: true})
  for (const [name, target] of Object.entries(links)) await symlink(target, join(content, name))
  await writeFile(file, '')
  await truncate(file, 16 * mebibyte)
  await run(['mkfs.ext4', '-q', '-F', '-d', content, file])
  machine.disks.push({file, serial, format: 'raw', mode: 'read-write'})
}

/** A data disk of a site with links; where the site has a key for it, a disk in the clear is refused. */
const dataDisk = (name: 'input' | 'output', which: string, links: Readonly<Record<string, string>>): Tampering => ({
  ...{id: `${name}-disk-links`, group: 'devices', title: `The ${name} disk has links to files of the machine`},
  action: `attaches a disk nvflare-${name} in which ${which}`,
  because:
    'it is mounted or left alone, and nothing else changes; inside-data-disks tells that no link is followed there',
  detected: new RegExp(`nvflare-${name}: its LUKS header`),
  powerless: exceptMount(name, ['none', 'ignored', 'disk-plain']),
  untouched: (state) => (mountOf(name, state) === 'disk-plain' ? [] : [`nvflare-${name}`]),
  prepare: (machine) => linkDisk(machine, `nvflare-${name}`, links),
})

export const hostFileManipulations = tampered([
  {
    ...{id: 'log-disk-links', group: 'devices', quick: true, together: true},
    title: 'The log disk has links to files of the machine',
    action: 'attaches a disk nvflare-log with an ext4 in which applog leads to /etc, and flare.log to /etc/hosts',
    because: 'the log disk is never mounted: text is written to the bare disk, by a user who can open nothing else',
    powerless: exceptMount('log', ['none', 'disk-raw']),
    prepare: (machine) => linkDisk(machine, 'nvflare-log', {applog: '/etc', 'flare.log': '/etc/hosts'}),
  },
  dataDisk('input', 'a.csv leads to the key of the start-up kit, and b to /', {
    'a.csv': '/mnt/cc/ro/kit/startup/client.key',
    b: '/',
  }),
  dataDisk('output', 'every name leads to /etc', {model: '/etc', applog: '/etc'}),
])
