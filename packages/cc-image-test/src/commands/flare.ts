import {withEnvironment} from 'cc-core/command'
import {ImageCommand, imageFlag} from '../image-command.js'
import {flareSuite} from '../services/flare.js'

export default class Flare extends ImageCommand<typeof Flare> {
  static override summary = 'Prove a FLARE image: all that a base image is, and a job with two clients in the machine.'

  static override description = `Needs no root and changes nothing. The job runs in a copy of the image that has one unit more.
Without KVM it takes a few minutes.`

  static override examples = [
    {
      description: 'Test the image in ./build',
      command: '<%= config.bin %> <%= command.id %>',
    },
    {
      description: 'Write a report for people',
      command: '<%= config.bin %> <%= command.id %> --image DIR --html report.html',
    },
  ]

  static override flags = withEnvironment({image: imageFlag('nvflare_cc_image')})

  async run(): Promise<object> {
    return this.test(flareSuite)
  }
}
