import {debian, debianPackages} from './debian.js'
import type {DistroProfile} from './profile.js'

export const debian12: DistroProfile = {
  ...debian,
  id: 'debian-12',
  release: '12',
  codename: 'bookworm',
  // The small kernel, 6.1, is built without sev-guest.
  snpKernels: ['linux-image-amd64'],
  basePackages: debianPackages,
}
