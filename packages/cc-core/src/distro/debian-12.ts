import {debian, debianDriver, debianPackages} from './debian.js'
import type {DistroProfile} from './profile.js'

export const debian12: DistroProfile = {
  ...debian,
  id: 'debian-12',
  release: '12',
  codename: 'bookworm',
  nvidia: {
    ...debianDriver,
    // The newer libraries of the security archive have no open modules of the same version.
    version: '535.261.03',
    patches: [],
  },
  cuda: {version: '11.8', packages: ['libcudart11.0'], repository: null},
  // The small kernel, 6.1, is built without sev-guest.
  snpKernels: ['linux-image-amd64'],
  basePackages: debianPackages,
}
