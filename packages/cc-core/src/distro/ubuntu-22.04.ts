import {basePackages} from './base-packages.js'
import type {DistroProfile} from './profile.js'
import {ubuntu} from './ubuntu.js'

export const ubuntu2204: DistroProfile = {
  ...ubuntu,
  id: 'ubuntu-22.04',
  release: '22.04',
  codename: 'jammy',
  kernelPackages: {generic: 'linux-generic', hwe: 'linux-generic-hwe-22.04'},
  // systemd-resolved is still a part of systemd here.
  basePackages: [...basePackages, 'systemd-timesyncd'],
  hostNotes: [],
}
