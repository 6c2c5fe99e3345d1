import {ImageCommand} from '../image-command.js'
import {resizeSuite} from '../services/resize.js'

export default class Resize extends ImageCommand<typeof Resize> {
  static override summary = 'Prove that an image grows: a copy of it gets 4 GiB more, and boots.'

  static override description = 'Needs no root and changes nothing: the copy is removed at the end.'

  static override examples = [
    {description: 'Test the image in ./build', command: '<%= config.bin %> <%= command.id %>'},
    {description: 'For machines', command: '<%= config.bin %> <%= command.id %> --image DIR --json'},
  ]

  async run(): Promise<object> {
    return this.test(resizeSuite)
  }
}
