import {resolve} from 'node:path'

import {Flags} from '@oclif/core'
import {names, withEnvironment} from 'cc-core/command'

import {CheckCommand} from '../check-command.js'
import {imageFlag} from '../image-command.js'
import {testAcceptance} from '../services/acceptance.js'

const file = (summary: string) => names({kind: 'file'}, Flags.string({summary, helpValue: 'FILE'}))

export default class Acceptance extends CheckCommand<typeof Acceptance> {
  static override summary = 'Make the acceptance tests of a hardened production image on the host that it is for.'

  static override description = `It launches the image as it is meant to be, with SEV-SNP, and then with one change after the other: each of
them must be refused, with a reason. With --admin-token it also withdraws the keys and sends them again. It needs an AMD
EPYC host; install_cc_image.sh --check says what such a host lacks. The authors have none, so this command was only ever
run against stand-ins: please send its report.`

  static override examples = [
    {
      description: 'All that can be tried without an administrator of the broker',
      command: '<%= config.bin %> <%= command.id %> --image DIR --html acceptance.html',
    },
    {
      description: 'With withdrawal and rotation of keys, and a GPU',
      command:
        '<%= config.bin %> <%= command.id %> --image DIR --kbs https://kbs.example:8443 --ca kbs-ca.pem --admin-token admin.token --successor NEWER --gpu 0000:41:00.0 --gpu-admin-tools nvidia_gpu_tools.py',
    },
  ]

  static override flags = withEnvironment({
    image: imageFlag('nvflare_cc_image_hardened'),
    kbs: Flags.string({summary: 'The key broker, https only; that of the image by default.', helpValue: 'URL'}),
    ca: file('Certificate (PEM) of the authority of the broker, for --admin-token.'),
    'admin-token': names(
      'key',
      Flags.string({
        summary: 'File with the token of the administrator, mode 0600: keys are withdrawn and sent again.',
        helpValue: 'FILE',
      }),
    ),
    successor: names(
      {kind: 'any'},
      Flags.string({summary: 'A newer build of the image, for the rotation of keys.', helpValue: 'DIR'}),
    ),
    gpu: Flags.string({summary: 'Pass this GPU through, bound to vfio-pci.', helpValue: 'ADDRESS'}),
    'gpu-admin-tools': file(
      'NVIDIA’s nvidia_gpu_tools.py, which switches the confidential mode of the GPU off and on again.',
    ),
    ovmf: file('Firmware of the kind AmdSev; that of the distribution by default.'),
    qemu: file('QEMU; qemu-system-x86_64 by default.'),
    network: Flags.string({summary: 'How the machine is connected: user, or bridge=NAME.', default: 'user'}),
    only: Flags.string({summary: 'Make only this check; repeatable.', helpValue: 'ID', multiple: true}),
    'work-dir': names(
      'output',
      Flags.string({summary: 'Directory for the consoles.', helpValue: 'DIR', default: './cc-acceptance'}),
    ),
    'boot-timeout': Flags.integer({
      summary: 'Seconds that one launch may take.',
      helpValue: 'SECONDS',
      min: 1,
      default: 600,
    }),
  })

  async run(): Promise<object> {
    const {flags} = this
    const path = (name: string | undefined) => (name === undefined ? null : resolve(name))
    const report = await testAcceptance(
      {
        image: resolve(flags.image),
        url: flags.kbs ?? null,
        ca: path(flags.ca),
        adminToken: path(flags['admin-token']),
        successor: path(flags.successor),
        gpu: flags.gpu ?? null,
        gpuAdminTools: path(flags['gpu-admin-tools']),
        ovmf: path(flags.ovmf),
        qemu: path(flags.qemu),
        network: flags.network,
        only: flags.only ?? [],
        workDir: resolve(flags['work-dir']),
        timeoutMs: flags['boot-timeout'] * 1000,
        lingerMs: 5000,
      },
      {reporter: this.reporter, signal: this.signal},
    )
    return this.show(report, [`read the consoles in ${resolve(flags['work-dir'])}`])
  }
}
