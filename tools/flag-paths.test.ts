import {execFileSync} from 'node:child_process'
import {chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {captureOutput} from '@oclif/test'
import {namedBy, type NamedPath} from 'cc-core/command'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

const repository = fileURLToPath(new URL('..', import.meta.url))

/** Every command that has paths: its source, and the words without which it does not come to what is tested. */
const ofImage = (root: string) => ['--image', join(root, 'missing')]
const commands: Readonly<Record<string, {source: string; words: (root: string) => string[]}>> = {
  'cc-image-installer': {source: 'cc-image-installer/src/index', words: (root) => ['--output', join(root, 'out')]},
  'cc-flare-builder': {source: 'cc-flare-builder/src/index', words: (root) => ['--output', join(root, 'out')]},
  'cc-hardening-builder': {
    source: 'cc-hardening-builder/src/index',
    words: (root) => [
      ...['--output', join(root, 'out'), '--role', 'client', '--development'],
      ...['--requirements', join(root, 'file')],
    ],
  },
  'cc-resize': {source: 'cc-resize/src/index', words: ofImage},
  'cc-image-test host': {source: 'cc-image-test/src/commands/host', words: () => []},
  'cc-image-test base': {source: 'cc-image-test/src/commands/base', words: ofImage},
  'cc-image-test hardened': {source: 'cc-image-test/src/commands/hardened', words: ofImage},
}

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-flags-'))
  chmodSync(root, 0o755)
  for (const name of ['file', 'closed', 'open']) writeFileSync(join(root, name), '#'.repeat(32), {mode: 0o600})
  for (const [name, bytes] of Object.entries({empty: 0, short: 31}))
    writeFileSync(join(root, name), '#'.repeat(bytes), {mode: 0o600})
  chmodSync(join(root, 'open'), 0o644)
  chmodSync(join(root, 'closed'), 0)
  for (const name of ['folder', 'locked']) mkdirSync(join(root, name), {mode: 0o755})
  execFileSync('mkfifo', ['--mode=666', join(root, 'fifo')])
})
afterAll(() => {
  rmSync(root, {recursive: true, force: true})
})

interface PathFlag {
  command: string
  /** As the user knows it. */
  label: string
  flag: object
}

/** What we use of a command. */
interface CommandClass {
  baseFlags: Record<string, object>
  flags: Record<string, object>
  args: Record<string, {name: string}>
  run(argv: string[], options: {root: string}): Promise<unknown>
}

/** Every flag and argument whose help says that its value is a path. */
const flags: PathFlag[] = []
const classes: Record<string, CommandClass> = {}
for (const [command, {source}] of Object.entries(commands)) {
  const module = (await import(join(repository, 'packages', `${source}.ts`))) as {default: CommandClass}
  classes[command] = module.default
  const {baseFlags, flags: own, args} = module.default
  for (const [name, flag] of Object.entries({...baseFlags, ...own}))
    if (/FILE|DIR|QCOW2/.test((flag as {helpValue?: string}).helpValue ?? ''))
      flags.push({command, label: `--${name}`, flag})
  for (const arg of Object.values(args)) flags.push({command, label: arg.name, flag: arg})
}

describe('the variables of flags', () => {
  it.each(Object.entries(classes))('%s has one for each flag that is not repeated', (_, {baseFlags, flags: own}) => {
    const all = Object.entries({...baseFlags, ...own}) as [string, {env?: string; multiple?: boolean}][]
    const wanted = all.map(([name, {multiple}]) =>
      multiple === true ? undefined : `CC_${name.toUpperCase().replaceAll('-', '_')}`,
    )
    expect(all.map(([, {env}]) => env)).toEqual(wanted)
  })
})

/** What a value leads to, that each kind of flag has to refuse, and words of the message. */
const refusedBy = (what: NamedPath | undefined): [string, string][] => {
  if (what === 'output')
    return [
      ['file/below', 'is not a folder'],
      ['fifo', 'is not a folder'],
      ['file', 'is not a folder'],
    ]
  if (what === 'output-file')
    return [
      ['folder', 'is not a file'],
      ['fifo', 'is not a file'],
      ['file/below', 'is not a folder'],
    ]
  const fifo: [string, string] = ['fifo', 'is a named pipe']
  if (what === 'key')
    return [
      ...[fifo, ['folder', 'is a folder, not a file'], ['empty', 'is empty'], ['short', 'has 31 bytes, at least 32']],
      ...[
        ['open', 'has mode 644: others can read it'],
        ['missing', 'there is no file'],
      ],
    ] as [string, string][]
  const kind = what?.kind
  if (kind === 'file') return [fifo, ['folder', 'is a folder, not a file'], ['missing', '']]
  if (kind === 'folder') return [fifo, ['file', 'is a file, not a folder'], ['missing', 'there is no folder']]
  return [fifo, ['missing', '']]
}

async function run({command, label}: PathFlag, value: string): Promise<string> {
  const words = [...(commands[command]?.words(root) ?? [])]
  const at = words.indexOf(label)
  if (at >= 0) words.splice(at, 2)
  const {stderr} = await captureOutput(async () => {
    const own = label.startsWith('--') ? [...words, label, value] : [value, ...words]
    await classes[command]?.run(own, {root: join(repository, 'packages', command.split(' ')[0] ?? '')})
  })
  process.exitCode = undefined
  return stderr
}

describe('a flag that names a path', () => {
  it('says so, and is checked', () => {
    expect(flags.length).toBeGreaterThan(20)
    const unchecked = flags.filter(({flag}) => namedBy(flag) === undefined)
    expect(unchecked.map(({command, label}) => `${command} ${label}`)).toEqual([])
  })

  it.each(flags)(
    '$command $label refuses what it cannot be, by name, and nothing is written',
    async (flag) => {
      const before = readdirSync(root).sort()
      for (const [name, words] of refusedBy(namedBy(flag.flag))) {
        const message = await run(flag, join(root, name))
        expect(message, name).toMatch(/^error\[E_(USAGE|CONFIG|KEY|IMAGE|ISO_MISSING)\]: /m)
        expect(message, name).toContain(join(root, name))
        expect(message, name).toContain(words)
        expect(message, name).toMatch(/^ {2}try: /m)
        expect(readdirSync(root).sort(), name).toEqual(before)
      }
    },
    60_000,
  )

  it.each(flags)('$command $label refuses what this user may not read or write', async (flag) => {
    const what = namedBy(flag.flag)
    const name = what === 'output' || what === 'output-file' ? 'locked/new' : 'closed'
    if (process.geteuid?.() === 0) process.seteuid?.(65534)
    else chmodSync(join(root, 'locked'), 0o555)
    try {
      expect(await run(flag, join(root, name))).toContain('permission denied')
      expect(existsSync(join(root, 'locked/new'))).toBe(false)
    } finally {
      if (process.getuid?.() === 0) process.seteuid?.(0)
    }
  })
})
