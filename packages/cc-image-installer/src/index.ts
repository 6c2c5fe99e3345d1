import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {CcCommand, names, withEnvironment} from 'cc-core/command'

import {planInstall} from './services/install.js'

export default class CcImageInstaller extends CcCommand<typeof CcImageInstaller> {
  static override summary = 'Build a confidential VM base image from an Ubuntu live-server ISO or a package mirror.'

  static override description = `Writes OUTPUT/confidential_computing_image with the disk, kernel, initrd, command line, key and manifest.
Without --iso it installs from the package mirror that this host is configured for. It needs no root and asks nothing.`

  static override examples = [
    {
      description: 'Build from an ISO, checked against its sha256',
      command: '<%= config.bin %> --iso ubuntu-24.04-live-server-amd64.iso --iso-sha256 HASH',
    },
    {description: 'Build from the package mirror of this host', command: '<%= config.bin %>'},
    {
      description: 'Change the configuration, and see what would be in force',
      command: '<%= config.bin %> --config cc.yaml --set layout.size=20G --print-config',
    },
    {description: 'Print each step as a command to run by hand', command: '<%= config.bin %> --dry-run'},
  ]

  static override flags = withEnvironment({
    iso: names(
      {kind: 'file'},
      Flags.string({
        summary: 'Ubuntu 22.04 or 24.04 live-server ISO; without it the package mirror.',
        helpValue: 'FILE',
      }),
    ),
    'iso-sha256': Flags.string({summary: 'The sha256 that the ISO must have.', helpValue: 'HASH'}),
    'root-key': names(
      'key',
      Flags.string({
        summary: 'File with the key of the root partition, mode 0600; without it a new random one.',
        helpValue: 'FILE',
      }),
    ),
  })

  async run(): Promise<object> {
    const {iso, 'iso-sha256': isoSha256, 'root-key': key, 'print-config': print} = this.flags
    const config = this.loadConfig({
      'source.iso': iso === undefined ? undefined : resolve(iso),
      'source.isoSha256': isoSha256,
    })
    if (print) return this.showConfig(config)

    const {output, workDir, signal} = this.context
    const tool = `${this.config.name} ${this.config.version}`
    const rootKey = key === undefined ? null : resolve(key)
    return this.build(await planInstall({config, outputDir: output, workDir, tool, rootKey, signal}))
  }
}
