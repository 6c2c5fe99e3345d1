import {join, resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'
import {CcCommand, keyFlags, names, withEnvironment} from 'cc-core/command'
import type {Config} from 'cc-core/config'

import {checkBundlePath, makeBundle} from './services/bundle.js'
import {imageName, planHardening, type HardeningPlan} from './services/hardening.js'
import {findRequirements} from './services/requirements.js'
import {readSiteFile} from './services/site-file.js'
import {planSite} from './services/site.js'
import {joinSites} from './services/sites.js'

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
    {
      description: 'Many sites at once: what they share is made once, and each image goes to OUTPUT/NAME',
      command: '<%= config.bin %> --site cc_site-1.yml --site cc_site-2.yml',
    },
    {description: 'As nvflare provision calls it', command: '<%= config.bin %> cc_site-1.yml'},
  ]

  static override args = {
    site: names(
      {kind: 'file'},
      Args.string({name: 'CC_SITE_YML', description: "Site configuration of NVIDIA FLARE's own provisioning."}),
    ),
  }

  static override flags = withEnvironment({
    image: names(
      {kind: 'any'},
      Flags.string({
        summary: 'Image directory of the FLARE image, or its qcow2 alone; OUTPUT/nvflare_cc_image by default.',
        helpValue: 'DIR|QCOW2',
      }),
    ),
    requirements: names(
      {kind: 'any'},
      Flags.string({
        summary: 'The requirements.txt of the application, or its folder; the current directory by default.',
        helpValue: 'FILE|DIR',
      }),
    ),
    application: names(
      {kind: 'folder'},
      Flags.string({
        summary: 'Folder with code of the application that is in no package; it becomes /local/custom.',
        helpValue: 'DIR',
      }),
    ),
    role: Flags.option({
      options: ['client', 'server'] as const,
      summary: 'Role of the site; that of its kit by default.',
    })(),
    'startup-kit': names(
      {kind: 'folder'},
      Flags.string({
        summary: 'Start-up kit of the site: its folder, as nvflare provision writes it.',
        helpValue: 'DIR',
      }),
    ),
    ...keyFlags('FLARE'),
    site: names(
      {kind: 'file'},
      Flags.string({
        summary: 'Site configuration, as CC_SITE_YML; repeated, it builds an image for each site in one run.',
        helpValue: 'FILE',
        multiple: true,
        multipleNonGreedy: true,
      }),
    ),
    standalone: Flags.boolean({
      summary: 'Give each of several images its whole root, rather than one that all of them share.',
    }),
    development: Flags.boolean({summary: 'Let the host provide the keys: protects nothing, for trying things out.'}),
  })

  async run(): Promise<object> {
    const files = [...(this.args.site === undefined ? [] : [this.args.site]), ...(this.flags.site ?? [])]
    const [first, ...others] = files.length === 0 ? [undefined] : files
    const config = this.#configOf(first)
    const several = others.map((file) => this.#configOf(file))
    if (this.flags['print-config'])
      return several.length === 0 ? this.showConfig(config) : this.#showConfigs(files, [config, ...several])
    const {output} = this.context
    // Each of several sites has a folder of its own; nvflare provision calls this command once for each, with CC_SITE_YML.
    const siteFile = several.length === 0 ? this.args.site : undefined
    const alone = several.length === 0 && siteFile === undefined
    const place = (one: Config) => (alone ? output : join(output, planSite(one).name))
    if (siteFile !== undefined) checkBundlePath(place(config))
    const plans = await Promise.all([config, ...several].map((one) => this.#plan(one, place(one))))
    const result = await this.build(joinSites(plans, this.flags.standalone ? null : join(output, 'shared')))
    if (siteFile === undefined || this.context.dryRun) return result
    return {...result, bundle: await this.#bundle(siteFile, config, (result as {image: string}).image)}
  }

  /** The archive that nvflare provision hands to the site, and the line in which it looks for its path. */
  async #bundle(siteFile: string, config: Config, image: string): Promise<string> {
    const {workDir, signal} = this.context
    const logGiB = config.hardening.logs === 'disk' ? readSiteFile(resolve(siteFile)).logGiB : null
    const bundle = await makeBundle({image, site: planSite(config).name, workDir, logGiB, signal})
    this.log(`CVM Bundle ${bundle} is ready`)
    return bundle
  }

  /** One YAML document for each site. */
  #showConfigs(files: readonly string[], configs: readonly Config[]): object {
    return Object.fromEntries(
      configs.map((config, index) => {
        const file = files[index] ?? ''
        this.log(`--- # ${file}`)
        return [file, this.showConfig(config)]
      }),
    )
  }

  /** The configuration with that of a site, and with the flags. */
  #configOf(file: string | undefined): Config {
    const {'startup-kit': kit, requirements, application, role} = this.flags
    const site = file === undefined ? null : readSiteFile(resolve(file))
    for (const note of site?.notes ?? []) this.logToStderr(`note: ${note}`)
    return this.loadConfig({
      ...site?.settings,
      ...(role !== undefined && {'hardening.role': role}),
      ...(kit !== undefined && {'hardening.startupKit': resolve(kit)}),
      ...(requirements !== undefined && {'hardening.requirements': resolve(requirements)}),
      ...(application !== undefined && {'hardening.application': resolve(application)}),
    })
  }

  #plan(config: Config, outputDir: string): Promise<HardeningPlan> {
    const {image, 'root-key': rootKey, 'new-root-key': newRootKey, development} = this.flags
    const {output, workDir, signal} = this.context
    const optional = (path: string | undefined) => (path === undefined ? null : resolve(path))
    return planHardening({
      ...{config, development, outputDir, workDir, signal, leaveOut: [output, join(output, imageName)]},
      requirements: findRequirements(config.hardening.requirements, process.cwd()),
      image: resolve(image ?? `${output}/nvflare_cc_image`),
      rootKey: optional(rootKey),
      newRootKey: optional(newRootKey),
      tool: `${this.config.name} ${this.config.version}`,
    })
  }
}
