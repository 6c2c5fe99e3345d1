import type {DistroProfile} from './profile.js'

/** What all releases of Ubuntu have in common. */
export const ubuntu = {
  os: 'ubuntu',
  components: ['main', 'restricted', 'universe', 'multiverse'],
  // Not linux-virtual: sev-guest is in linux-modules-extra, which only linux-generic brings.
  defaultKernel: 'linux-generic',
  localePackages(locale: string): string[] {
    const language = locale.split(/[_.]/)[0] ?? ''
    // Translations are split off into language packs. English is what the programs speak anyway.
    return ['C', 'en'].includes(language) ? ['locales'] : ['locales', `language-pack-${language}`]
  },
  archiveKeyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
  keyringPackage: 'ubuntu-keyring',
  liveServerKernel: 'linux-generic',
} as const satisfies Partial<DistroProfile>
