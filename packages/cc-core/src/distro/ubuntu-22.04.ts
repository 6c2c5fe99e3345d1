import {basePackages} from './base-packages.js'
import type {DistroProfile} from './profile.js'
import {ubuntu, ubuntuCuda, ubuntuDriver} from './ubuntu.js'

export const ubuntu2204: DistroProfile = {
  ...ubuntu,
  id: 'ubuntu-22.04',
  release: '22.04',
  codename: 'jammy',
  // The kernel of the release itself, 5.15, cannot run as an SNP guest: that came with 5.19. ISOs from 22.04.2 on have
  // the HWE kernel in their pool, and so has every mirror.
  kernelPackages: {generic: 'linux-generic', hwe: 'linux-generic-hwe-22.04'},
  defaultKernel: 'linux-generic-hwe-22.04',
  fallbackKernel: 'linux-generic',
  kernelsWithoutSnp: ['linux-generic', 'linux-image-generic', 'linux-virtual', 'linux-image-virtual', 'linux-kvm'],
  nvidia: {...ubuntuDriver, kernel: 'linux-generic-hwe-22.04'},
  cuda: ubuntuCuda('22.04'),
  snpKernels: ['linux-generic-hwe-22.04'],
  // systemd-resolved is still a part of systemd here.
  basePackages: [...basePackages, 'systemd-timesyncd'],
  hostNotes: [],
}
