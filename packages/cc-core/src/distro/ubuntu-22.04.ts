import {basePackages} from './base-packages.js'
import type {DistroProfile} from './profile.js'
import {ubuntu, ubuntuCuda, ubuntuDriver} from './ubuntu.js'

export const ubuntu2204: DistroProfile = {
  ...ubuntu,
  id: 'ubuntu-22.04',
  release: '22.04',
  codename: 'jammy',
  // The default, 5.15, has no support for running as an SNP guest: that came with 5.19. For SNP, os.kernel must be the
  // HWE kernel. It is not the default because only ISOs from 22.04.2 on have it in their pool.
  kernelPackages: {generic: 'linux-generic', hwe: 'linux-generic-hwe-22.04'},
  nvidia: {...ubuntuDriver, kernel: 'linux-generic-hwe-22.04'},
  cuda: ubuntuCuda('22.04'),
  snpKernels: ['linux-generic-hwe-22.04'],
  // systemd-resolved is still a part of systemd here.
  basePackages: [...basePackages, 'systemd-timesyncd'],
  hostNotes: [],
}
