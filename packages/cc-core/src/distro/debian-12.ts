import {debian, debianPackages} from './debian.js'
import type {DistroProfile} from './profile.js'

export const debian12: DistroProfile = {
  ...debian,
  id: 'debian-12',
  release: '12',
  codename: 'bookworm',
  basePackages: debianPackages,
}
