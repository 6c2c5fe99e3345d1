import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {names, withEnvironment} from 'cc-core/command'

import {CheckCommand} from '../check-command.js'
import {testHost} from '../services/host.js'

export default class Host extends CheckCommand<typeof Host> {
  static override summary = 'Say what this host lacks for building and booting images, and the command that fixes it.'

  static override description = 'Run it as the user who will build. It changes nothing.'

  static override examples = [
    {description: 'Look at this host', command: '<%= config.bin %> <%= command.id %>'},
    {
      description: 'Print only the commands that fix what is missing',
      command: "<%= config.bin %> <%= command.id %> --json | jq -r '.checks[] | .fix // empty'",
    },
  ]

  static override flags = withEnvironment({
    output: names(
      'output',
      Flags.string({
        summary: 'Directory where images are to be built, for its free space; ./build by default.',
        helpValue: 'DIR',
      }),
    ),
  })

  async run(): Promise<object> {
    const report = await testHost(resolve(this.flags.output ?? './build'), {
      reporter: this.reporter,
      signal: this.signal,
    })
    return this.show(report, ['run the commands named above, each after "fix:"'])
  }
}
