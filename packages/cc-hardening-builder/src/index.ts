import {resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'
import {CcCommand} from 'cc-core/command'

import {planHardening} from './services/hardening.js'
import {findRequirements} from './services/requirements.js'
import {readSiteFile} from './services/site-file.js'

export default class CcHardeningBuilder extends CcCommand<typeof CcHardeningBuilder> {
  static override summary = 'Put an application into a FLARE image, and close it to everybody.'

  static override description = `Opens the FLARE image, which is not changed, installs requirements.txt, takes out every way in, and writes
OUTPUT/nvflare_cc_image_hardened with a verified read-only root and keys of its own. It needs no root and asks nothing.
Without --development the image is for production: its keys come by attestation.`

  static override examples = [
    {
      description: 'A client, out of the image in ./build and requirements.txt of this folder',
      command: '<%= config.bin %> --role client --startup-kit prod_00/site-1',
    },
    {
      description: 'To try it out without attestation: the host provides the key',
      command:
        '<%= config.bin %> --development --role server --startup-kit prod_00/server1 --requirements app/requirements.txt',
    },
    {description: 'As nvflare provision calls it', command: '<%= config.bin %> cc_site-1.yml'},
  ]

  static override args = {
    site: Args.string({name: 'CC_SITE_YML', description: "Site configuration of NVIDIA FLARE's own provisioning."}),
  }

  static override flags = {
    image: Flags.string({
      summary: 'Image directory of the FLARE image, or the qcow2 in it; OUTPUT/nvflare_cc_image by default.',
      helpValue: 'DIR|QCOW2',
    }),
    requirements: Flags.string({
      summary: 'requirements.txt of the application, or its folder; the current directory by default.',
      helpValue: 'FILE|DIR',
    }),
    role: Flags.option({
      options: ['client', 'server'] as const,
      summary: 'Role of the site; that of its kit by default.',
    })(),
    'startup-kit': Flags.string({
      summary: 'Start-up kit of the site: its folder, as nvflare provision writes it.',
      helpValue: 'DIR',
    }),
    'root-key': Flags.string({
      summary: 'File with the key of the FLARE image; keys/root.key beside the image by default.',
      helpValue: 'FILE',
    }),
    'new-root-key': Flags.string({
      summary: 'File with the key for the new image, mode 0600; without it a new random one.',
      helpValue: 'FILE',
    }),
    development: Flags.boolean({summary: 'Let the host provide the keys: protects nothing, for trying things out.'}),
  }

  async run(): Promise<object> {
    const {image, 'root-key': rootKey, 'new-root-key': newRootKey, 'print-config': print, development} = this.flags
    const {'startup-kit': kit, requirements, role} = this.flags
    const site = this.args.site === undefined ? null : readSiteFile(resolve(this.args.site))
    for (const note of site?.notes ?? []) this.logToStderr(`note: ${note}`)
    const optional = (path: string | undefined) => (path === undefined ? null : resolve(path))
    const config = this.loadConfig({
      ...site?.settings,
      ...(role !== undefined && {'hardening.role': role}),
      ...(kit !== undefined && {'hardening.startupKit': resolve(kit)}),
      ...(requirements !== undefined && {'hardening.requirements': resolve(requirements)}),
    })
    if (print) return this.showConfig(config)

    const {output, workDir, signal} = this.context
    return this.build(
      await planHardening({
        config,
        requirements: findRequirements(config.hardening.requirements, process.cwd()),
        image: resolve(image ?? `${output}/nvflare_cc_image`),
        rootKey: optional(rootKey),
        newRootKey: optional(newRootKey),
        development,
        outputDir: output,
        workDir,
        tool: `${this.config.name} ${this.config.version}`,
        signal,
      }),
    )
  }
}
