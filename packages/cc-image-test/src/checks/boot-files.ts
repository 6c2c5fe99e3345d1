import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {bootConf, imageCommandLine, journalBehind} from 'cc-core/boot'
import type {CheckTask} from 'cc-core/report'
import {keyOwner} from 'cc-core/seal'

import type {ImageUnderTest} from '../image/under-test.js'
import {judgeBootConf, judgeCmdlineConfigured, judgeCmdlineFile, judgeCmdlineSafe} from '../judges/boot-files.js'

/** What is measured besides the kernel: the command line, and boot.conf in the initrd. */
export function bootFileChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, config} = subject
  const {cmdline, stage} = image.manifest
  return [
    {
      id: 'cmdline',
      title: 'The kernel command line is that of the manifest',
      run: async () => judgeCmdlineFile({text: await readFile(image.file('cmdline'), 'utf8')}, {cmdline}),
    },
    {
      id: 'cmdline-safe',
      title: 'The kernel command line opens no shell',
      run: () => judgeCmdlineSafe({cmdline}),
    },
    {
      id: 'boot-conf',
      title: 'boot.conf in the initrd is that of the manifest',
      run: async () => {
        const text = await readFile(join(await subject.sealed(), 'boot.conf'), 'utf8')
        return judgeBootConf({text}, {expected: expectedBootConf(subject)})
      },
    },
    {
      id: 'cmdline-config',
      title: 'The kernel command line is that of the configuration',
      run: () => judgeCmdlineConfigured({cmdline}, {configured: imageCommandLine({stage, config})}),
    },
  ]
}

/** boot.conf as the one writer of it would write it, of the partitions that the image has. */
function expectedBootConf({image, config}: ImageUnderTest): string {
  const {profile, cmdline, partitions} = image.manifest
  const names = new Set(partitions.map(({name}) => name))
  return bootConf({
    ...{profile, cmdline},
    partitions: Object.fromEntries(Object.entries(config.layout.partitions).filter(([name]) => names.has(name))),
    verity: Object.fromEntries(partitions.flatMap(({name, verity}) => (verity === null ? [] : [[name, verity]]))),
    overlaySize: config.layout.overlaySize,
    journals: Object.fromEntries(
      partitions.flatMap(({name, key, content}) =>
        key === 'tee-derived' && content !== null ? [[name, journalBehind(content.bytes).offset]] : [],
      ),
    ),
    kbs: config.kbs,
    teeDerived: config.teeDerived,
    owner: keyOwner({name: image.manifest.name, config, shared: image.manifest.shared?.name}),
  })
}
