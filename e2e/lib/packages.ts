/** The published packages, by their folders in the repository. */
export const packages = [
  'scripts',
  'packages/cc-core',
  'packages/cc-image-installer',
  'packages/cc-flare-builder',
  'packages/cc-hardening-builder',
  'packages/cc-image-test',
  'packages/cc-resize',
]

/** The packages that only give another its second name. */
export const aliases = ['packages/aliases/nvflare-cc-builder', 'packages/aliases/nvflare_cc_hardening_builder']
