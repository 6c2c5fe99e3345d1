import {debian, debianDriver, debianPackages} from './debian.js'
import type {DistroProfile} from './profile.js'

export const debian13: DistroProfile = {
  ...debian,
  id: 'debian-13',
  release: '13',
  codename: 'trixie',
  nvidia: {
    ...debianDriver,
    version: '550.163.01',
    patches: ['base/nvidia-patches/debian-13-pci-resize-resource.patch'],
  },
  cuda: {version: '12.4', packages: ['libcudart12'], repository: null},
  snpKernels: ['linux-image-amd64', 'linux-image-cloud-amd64'],
  // systemd-cryptsetup left the systemd package; our units call cryptsetup itself, so it is not needed.
  basePackages: debianPackages,
}
