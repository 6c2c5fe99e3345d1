import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {bootConf, imageCommandLine, journalBehind, kernelCommandLine} from 'cc-core/boot'
import {verdictOf, type CheckTask} from 'cc-core/report'

import type {ImageUnderTest} from '../image/under-test.js'

/** What is measured besides the kernel: the command line, and boot.conf in the initrd. */
export function bootFileChecks(subject: ImageUnderTest): CheckTask[] {
  const {image, config} = subject
  return [
    {
      id: 'cmdline',
      title: 'The kernel command line is that of the manifest',
      run: async () => {
        const text = await readFile(image.file('cmdline'), 'utf8')
        const {cmdline} = image.manifest
        return verdictOf(
          text === `${cmdline}\n` ? [] : [`cmdline is '${text.trimEnd()}', the manifest says '${cmdline}'`],
          cmdline,
        )
      },
    },
    {
      id: 'cmdline-safe',
      title: 'The kernel command line opens no shell',
      run: () =>
        verdictOf(cmdlineProblems(image.manifest.cmdline), 'all safeguards, each once; nothing that opens a shell'),
    },
    {
      id: 'boot-conf',
      title: 'boot.conf in the initrd is that of the manifest',
      run: async () => {
        const found = await readFile(join(await subject.sealed(), 'boot.conf'), 'utf8')
        const expected = expectedBootConf(subject)
        return verdictOf(lineDifferences(found, expected), `${expected.split('\n').length - 1} lines`)
      },
    },
    {
      id: 'cmdline-config',
      title: 'The kernel command line is that of the configuration',
      run: () => {
        const {cmdline, stage} = image.manifest
        const expected = imageCommandLine({stage, config})
        return verdictOf(
          cmdline === expected ? [] : [`it is '${cmdline}', the configuration gives '${expected}'`],
          'as configured',
        )
      },
    },
  ]
}

/** Parameters that give a shell, another init, another root or another boot script, or that undo a safeguard. */
const dangerous =
  /^(init|rdinit|boot|root|break|rd\.break|rd\.shell|systemd\.debug[-_]shell|systemd\.unit|systemd\.run|systemd\.mask|systemd\.wants|systemd\.setenv|SYSTEMD_UNIT|sysrq_always_enabled|netconsole|single|emergency|rescue|debug|-b|[sS1])(=|$)/

/** What is wrong with a command line: a safeguard that is missing, or undone by a later word, or a dangerous word. */
export function cmdlineProblems(cmdline: string): string[] {
  const words = cmdline.split(/\s+/)
  const required = kernelCommandLine({console: ''})
    .split(' ')
    .filter((word) => word !== 'console=')
  const problems = words.filter((word) => dangerous.test(word)).map((word) => `'${word}' is dangerous`)
  for (const word of required) {
    const [key = ''] = word.split('=')
    const values = words.filter((other) => other === key || other.startsWith(`${key}=`))
    if (!values.includes(word)) problems.push(`'${word}' is missing`)
    else if (values.length > 1) problems.push(`'${key}' stands ${values.length} times: ${values.join(' ')}`)
  }
  return problems
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
  })
}

/** The lines that only one of two texts has. */
export function lineDifferences(found: string, expected: string): string[] {
  const [has, wants] = [found.split('\n'), expected.split('\n')]
  const differences = [
    ...has.filter((line) => !wants.includes(line)).map((line) => `'${line}' is not expected`),
    ...wants.filter((line) => !has.includes(line)).map((line) => `'${line}' is missing`),
  ]
  return differences.length === 0 && found !== expected ? ['its lines are in another order, or repeated'] : differences
}
