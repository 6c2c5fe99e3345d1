import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {BaseCommand, globalGroup, names, withEnvironment} from 'cc-core/command'
import {formatSize, parseSize} from 'cc-core/config'
import {CcError} from 'cc-core/errors'
import {growImage, planGrow, showGrow, type GrowResult} from 'cc-core/resize'

export default class CcResize extends BaseCommand<typeof CcResize> {
  static override summary = 'Grow the disk of an image, in place and in a moment, however large it is.'

  static override description = `The disk grows, and the partition that takes the rest of it; its file system follows at the next boot.
It needs no root and no key, and reads no content. An interrupted run leaves a whole image: run it again.`

  static override examples = [
    {
      description: 'Grow the base image to 10G',
      command: '<%= config.bin %> --image build/confidential_computing_image',
    },
    {
      description: 'Grow an image, named by its qcow2, to 40G',
      command: '<%= config.bin %> --image build/nvflare_cc_image/nvflare_cc_image.qcow2 --size 40G',
    },
    {
      description: 'Print the commands that would do it, to run by hand',
      command: '<%= config.bin %> --image build/nvflare_cc_image --size 40G --dry-run',
    },
  ]

  static override flags = withEnvironment({
    image: names(
      {kind: 'any'},
      Flags.string({
        summary: 'The image directory, or the qcow2 in it.',
        helpValue: 'DIR|QCOW2',
        required: true,
      }),
    ),
    size: Flags.string({
      summary: 'Size of the disk to be, for example 20G: whole MiB, not less than it has.',
      helpValue: 'SIZE',
      default: '10G',
    }),
    'dry-run': Flags.boolean({
      summary: 'Print each step as a command to run by hand, and run none.',
      helpGroup: globalGroup,
    }),
  })

  async run(): Promise<object> {
    const request = {image: resolve(this.flags.image), sizeBytes: bytesOf(this.flags.size)}
    if (this.flags['dry-run']) {
      const commands = showGrow(await planGrow(request, this.signal))
      for (const command of commands) this.log(command)
      return {commands}
    }
    const result = await growImage(request, {reporter: this.reporter, signal: this.signal})
    this.log(sentence(result))
    const {image, changed, disk, partition, ms} = result
    return {image: image.path, changed, disk, partition, ms}
  }
}

function bytesOf(text: string): number {
  const bytes = parseSize(text)
  if (bytes !== null) return bytes
  throw new CcError('E_USAGE', `--size: expected a size such as 10G or 512M, got '${text}'`)
}

function sentence({image, changed, disk, partition}: GrowResult): string {
  if (!changed) return `${image.path} has ${formatSize(disk.to)} already`
  const growth = [disk, partition].map(({from, to}) => `${formatSize(from)} -> ${formatSize(to)}`)
  return `${image.path}: disk ${growth[0] ?? ''}, ${partition.name} ${growth[1] ?? ''}`
}
