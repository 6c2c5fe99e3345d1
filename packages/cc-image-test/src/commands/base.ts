import {ImageCommand} from '../image-command.js'
import {baseSuite} from '../services/base.js'

export default class Base extends ImageCommand<typeof Base> {
  static override summary = 'Prove a base image: look at every part of it, and boot it, with its key and with another.'

  static override description = `Needs no root and changes nothing: the machine writes to a temporary file. Without KVM it takes about a minute.
The image is compared with its own manifest, or with --config.`

  static override examples = [
    {description: 'Test the image in ./build', command: '<%= config.bin %> <%= command.id %>'},
    {
      description: 'Write a report for people and one for a CI server',
      command: '<%= config.bin %> <%= command.id %> --image DIR --html report.html --junit report.xml',
    },
    {
      description: 'List the checks and the command that boots the image',
      command: '<%= config.bin %> <%= command.id %> --dry-run',
    },
  ]

  async run(): Promise<object> {
    return this.test(baseSuite)
  }
}
