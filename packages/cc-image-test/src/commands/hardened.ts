import {withEnvironment} from 'cc-core/command'
import {Flags} from '@oclif/core'

import {defaultJobs} from '../attack/jobs.js'
import {ImageCommand, imageFlag} from '../image-command.js'
import {hardenedSuite} from '../services/hardened.js'

export default class Hardened extends ImageCommand<typeof Hardened> {
  static override summary =
    'Prove a hardened image as an attacker who owns the host: about a hundred manipulations, each tried for real.'

  static override description = `Needs no root and changes nothing: every machine writes to a layer over the disk.
What is inside the machine is looked at in a copy of the image that has one unit more. Without KVM a boot takes half a
minute and more, and all of it a long time; --quick tries one manipulation of each kind.`

  static override examples = [
    {
      description: 'Test the image in ./build, with a report for people',
      command: '<%= config.bin %> <%= command.id %> --html report.html',
    },
    {description: 'One of each kind', command: '<%= config.bin %> <%= command.id %> --image DIR --quick'},
    {
      description: 'Two manipulations by their ids',
      command: '<%= config.bin %> <%= command.id %> --image DIR --only root-first --only cmdline-init',
    },
    {description: 'Go on after an interruption', command: '<%= config.bin %> <%= command.id %> --image DIR --resume'},
    {description: 'List all of them', command: '<%= config.bin %> <%= command.id %> --image DIR --dry-run'},
  ]

  static override flags = withEnvironment({
    image: imageFlag('nvflare_cc_image_hardened'),
    quick: Flags.boolean({summary: 'Try one manipulation of each kind instead of all.', exclusive: ['only']}),
    only: Flags.string({summary: 'Make this check only; may be repeated.', helpValue: 'ID', multiple: true}),
    resume: Flags.boolean({
      summary: 'Go on where a run of this image ended early: checks that had ended are not made again.',
      exclusive: ['only'],
    }),
    jobs: Flags.integer({
      summary: 'How many machines run at a time; by default as many as there are processors and memory for.',
      helpValue: 'NUMBER',
      min: 1,
      max: 64,
    }),
  })

  async run(): Promise<object> {
    const {quick, only = [], jobs, memory, resume} = this.flags
    const suite = hardenedSuite({quick, only, command: this.repeatable()})
    // A look at single checks leaves alone what a longer run has kept.
    const results = only.length > 0 ? undefined : resume ? 'resume' : 'keep'
    return this.test(suite, {jobs: jobs ?? defaultJobs(memory), ...(results && {results})})
  }
}
