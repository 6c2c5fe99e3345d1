import {Flags} from '@oclif/core'

import {names} from './path-flags.js'

/**
 * The keys of a stage that reads one image and writes another.
 * @param from what image is read, for the help
 */
export const keyFlags = (from: string) => ({
  'root-key': names(
    'key',
    Flags.string({
      summary: `File with the key of the ${from} image; keys/root.key beside the image by default.`,
      helpValue: 'FILE',
    }),
  ),
  'new-root-key': names(
    'key',
    Flags.string({
      summary: 'File with the key for the new image, mode 0600; without it a new random one.',
      helpValue: 'FILE',
    }),
  ),
})
