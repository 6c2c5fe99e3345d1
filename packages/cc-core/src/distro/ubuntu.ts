import type {DistroProfile} from './profile.js'

/** What all releases of Ubuntu have in common. */
export const ubuntu = {
  os: 'ubuntu',
  components: ['main', 'restricted', 'universe', 'multiverse'],
  // Not linux-virtual: sev-guest is in linux-modules-extra, which only linux-generic brings.
  defaultKernel: 'linux-generic',
  // No language packs: the catalog says "locale-only" of both sources of the server (subiquity, models/locale.py), so
  // the installer adds none either. Who wants translations names language-pack-* in os.packages.
  localePackages: () => ['locales'],
  archiveKeyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  keyringPackage: 'ubuntu-keyring',
  liveServerKernel: 'linux-generic',
} as const satisfies Partial<DistroProfile>
