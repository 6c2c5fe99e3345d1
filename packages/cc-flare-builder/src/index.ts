import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {CcCommand, keyFlags, names, withEnvironment} from 'cc-core/command'

import {planFlare} from './services/flare.js'

export default class CcFlareBuilder extends CcCommand<typeof CcFlareBuilder> {
  static override summary = 'Add Python and NVIDIA FLARE to a base image, and give it its size.'

  static override description = `Opens the base image, which is not changed, and writes OUTPUT/nvflare_cc_image with a root key of its own.
It needs no root and asks nothing. What the image is (os, boot, layout) is taken over from the base image.`

  static override examples = [
    {description: 'From the base image in ./build, to a disk of 20 GiB', command: '<%= config.bin %> --size 20G'},
    {
      description: 'Another version of FLARE, from an index of your own',
      command:
        '<%= config.bin %> --set flare.requirements=[nvflare==2.8.3] --set flare.indexUrl=https://pypi.example.org/simple',
    },
    {description: 'Print each step as a command to run by hand', command: '<%= config.bin %> --dry-run'},
  ]

  static override flags = withEnvironment({
    image: names(
      {kind: 'any'},
      Flags.string({
        summary:
          'Image directory of the base image, or the qcow2 in it; OUTPUT/confidential_computing_image by default.',
        helpValue: 'DIR|QCOW2',
      }),
    ),
    ...keyFlags('base'),
    size: Flags.string({summary: 'Size of the disk, such as 20G.', helpValue: 'SIZE', default: '10G'}),
  })

  async run(): Promise<object> {
    const {image, size, 'root-key': rootKey, 'new-root-key': newRootKey, 'print-config': print} = this.flags
    const config = this.loadConfig({'layout.size': size})
    if (print) return this.showConfig(config)

    const {output, workDir, signal} = this.context
    const optional = (path: string | undefined) => (path === undefined ? null : resolve(path))
    return this.build(
      await planFlare({
        config,
        image: resolve(image ?? `${output}/confidential_computing_image`),
        rootKey: optional(rootKey),
        newRootKey: optional(newRootKey),
        outputDir: output,
        workDir,
        tool: `${this.config.name} ${this.config.version}`,
        signal,
      }),
    )
  }
}
