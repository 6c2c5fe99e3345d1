import {basePackages} from './base-packages.js'
import type {DistroProfile} from './profile.js'
import {ubuntu, ubuntuCuda, ubuntuDriver} from './ubuntu.js'

export const ubuntu2404: DistroProfile = {
  ...ubuntu,
  id: 'ubuntu-24.04',
  release: '24.04',
  codename: 'noble',
  kernelPackages: {generic: 'linux-generic', hwe: 'linux-generic-hwe-24.04'},
  nvidia: {...ubuntuDriver, kernel: 'linux-generic'},
  cuda: ubuntuCuda('24.04'),
  snpKernels: ['linux-generic', 'linux-generic-hwe-24.04'],
  basePackages: [...basePackages, 'systemd-timesyncd', 'systemd-resolved'],
  hostNotes: [
    'AppArmor restricts user namespaces of ordinary users (since 23.10, on by default since 24.04): ' +
      'sysctl kernel.apparmor_restrict_unprivileged_userns is 1. Allow them with ' +
      "'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0', or run as root.",
  ],
}
