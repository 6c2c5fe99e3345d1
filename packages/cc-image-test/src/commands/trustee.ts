import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {names, withEnvironment} from 'cc-core/command'

import {CheckCommand} from '../check-command.js'
import {testTrustee} from '../services/trustee.js'

const file = (summary: string) => names({kind: 'file'}, Flags.string({summary, helpValue: 'FILE'}))

export default class Trustee extends CheckCommand<typeof Trustee> {
  static override summary =
    'Ask a key broker (Trustee), and the policy for it, what they would release of the keys of an image.'

  static override description = `It asks as an attacker would: without a token, with tokens that it signs itself, as an administrator without a
token. So it finds a lax policy, and insecure_header_jwk, before somebody else does. It changes nothing, and no key is
looked at. A broker shows its policy to nobody: the rows are put to the policy in the image directory, or to --policy.
What is released to real evidence only a machine with SEV-SNP can show.`

  static override examples = [
    {
      description: 'Ask the broker that the image asks',
      command: '<%= config.bin %> <%= command.id %> --image DIR --engine /usr/local/bin/opa',
    },
    {
      description: 'Put the rows to the policy that was sent for several images',
      command:
        '<%= config.bin %> <%= command.id %> --image DIR --kbs https://kbs.example:8443 --policy resource-policy.rego',
    },
  ]

  static override flags = withEnvironment({
    image: names(
      {kind: 'any'},
      Flags.string({
        summary: 'The image directory, or the qcow2 in it.',
        helpValue: 'DIR|QCOW2',
        default: './build/nvflare_cc_image_hardened',
      }),
    ),
    kbs: Flags.string({summary: 'The key broker, https only; that of the image by default.', helpValue: 'URL'}),
    ca: file('Certificate (PEM) of the authority of the broker; that of the image by default.'),
    'admin-token': names(
      'key',
      Flags.string({
        summary: 'File with the token of the administrator, mode 0600: to see whether there is a policy.',
        helpValue: 'FILE',
      }),
    ),
    policy: file('The policy that the rows are put to; that in the image directory by default.'),
    engine: file('Policy engine: opa, or a program with the words of `opa eval`; opa in PATH by default.'),
    'kbs-client': file('The program kbs-client, which asks with made-up evidence.'),
  })

  async run(): Promise<object> {
    const {flags} = this
    const path = (name: string | undefined) => (name === undefined ? null : resolve(name))
    const report = await testTrustee(
      {
        image: resolve(flags.image),
        url: flags.kbs ?? null,
        ca: path(flags.ca),
        adminToken: path(flags['admin-token']),
        policy: path(flags.policy),
        engine: path(flags.engine),
        client: path(flags['kbs-client']),
      },
      {reporter: this.reporter, signal: this.signal},
    )
    return this.show(report, ['see docs/usage/trustee.md'])
  }
}
