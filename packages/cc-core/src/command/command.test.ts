import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {Flags} from '@oclif/core'
import {captureOutput} from '@oclif/test'
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import {CcError} from '../errors/index.js'
import {CcCommand, withEnvironment} from './index.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Does what its flag says. */
class Sample extends CcCommand<typeof Sample> {
  static override flags = withEnvironment({do: Flags.string({default: 'show'}), name: Flags.string()})

  async run(): Promise<unknown> {
    const config = this.loadConfig({'os.hostname': this.flags.name})
    if (this.flags['print-config']) return this.showConfig(config)
    switch (this.flags.do) {
      case 'fail':
        throw new CcError('E_KEY', "wrong key 'x'", {suggestions: ['another key'], reason: new Error('underneath')})
      case 'bug':
        throw new TypeError('x is undefined')
      default:
        return {output: this.context.output, workDir: this.context.workDir, hostname: config.os.hostname}
    }
  }
}

/** Runs the command as a person would, and takes what it prints. Exit statuses: oclif's own, and the process's. */
async function sample(...argv: string[]) {
  const {stdout, stderr, error, result} = await captureOutput(() => Sample.run(argv, {root}))
  const exit = process.exitCode
  process.exitCode = undefined
  return {
    stdout,
    stderr,
    result,
    exit,
    oclifExit: error?.oclif?.exit,
    shown: !(error as {skipOclifErrorHandling?: boolean} | undefined)?.skipOclifErrorHandling,
  }
}

describe('CcCommand', () => {
  it('gives absolute paths to the service', async () => {
    expect((await sample('--output', 'out')).result).toEqual({
      output: join(process.cwd(), 'out'),
      workDir: join(process.cwd(), 'out/.work'),
      hostname: 'cc',
    })
  })

  it('takes from the environment what no flag says', async () => {
    vi.stubEnv('CC_OUTPUT', '/o')
    vi.stubEnv('CC_WORK_DIR', '/w')
    vi.stubEnv('CC_NAME', 'b')
    vi.stubEnv('CC_SET', 'os.hostname=x')
    expect((await sample()).result).toEqual({output: '/o', workDir: '/w', hostname: 'b'})
    expect((await sample('--output', '/p', '--name', 'c')).result).toMatchObject({output: '/p', hostname: 'c'})
    vi.stubEnv('CC_PRINT_CONFIG', '1')
    expect((await sample()).stdout).toMatch(/^profile: development/)
    vi.stubEnv('CC_PRINT_CONFIG', '0')
    expect((await sample()).stdout).toBe('')
    vi.stubEnv('CC_OUTPUT', '/proc/version/x')
    expect(await sample()).toMatchObject({exit: 2, stderr: expect.stringContaining('--output') as string})
    vi.unstubAllEnvs()
  })

  it('puts the own flags of a command over --set', async () => {
    expect((await sample('--set', 'os.hostname=a', '--name', 'b', '--set', 'os.timezone=UTC')).result).toMatchObject({
      hostname: 'b',
    })
  })

  it('prints the configuration as YAML, and as JSON', async () => {
    expect((await sample('--print-config')).stdout).toMatch(/^profile: development\n[^]*size: 256M\n/)
    const json = JSON.parse((await sample('--print-config', '--json')).stdout) as unknown
    expect(json).toMatchObject({layout: {partitions: {'cc-app': {size: '256M'}}}})
  })

  it('shows an error once, with what to do, and exits by its code', async () => {
    expect(await sample('--do', 'fail')).toMatchObject({
      stdout: '',
      stderr: "error[E_KEY]: wrong key 'x'\n  try: another key\n",
      exit: 4,
      oclifExit: 4,
      shown: false,
    })
  })

  it('shows it as JSON on stdout with --json, with the same exit status', async () => {
    const {stdout, stderr, exit} = await sample('--do', 'fail', '--json')
    expect(JSON.parse(stdout)).toEqual({
      error: {code: 'E_KEY', message: "wrong key 'x'", exitCode: 4, suggestions: ['another key']},
    })
    expect(stderr).toBe('')
    expect(exit).toBe(4)
  })

  it('calls what it did not foresee a bug, and shows its stack only with --verbose', async () => {
    const quiet = await sample('--do', 'bug')
    expect(quiet).toMatchObject({exit: 1, oclifExit: 1})
    expect(quiet.stderr).toContain('error[E_BUG]: TypeError: x is undefined')
    expect(quiet.stderr).not.toContain('command.test.ts')
    expect((await sample('--do', 'bug', '--verbose')).stderr).toContain('command.test.ts')
  })

  it.each([
    [['--no-such-flag'], 'error[E_USAGE]: Nonexistent flag: --no-such-flag'],
    [['--set', 'x'], "error[E_USAGE]: --set: expected KEY.KEY=VALUE, got 'x'"],
    [['--set', 'a=1'], 'error[E_CONFIG]: a: unknown key'],
    [['--set', 'profile=production'], 'error[E_LAYOUT]: layout.partitions.cc-root.key:'],
    [['--output', '/x/a\ufffd'], "error[E_USAGE]: output: '/x/a\ufffd' is not UTF-8"],
    [['--config', '/no/such'], "error[E_CONFIG]: cannot read the configuration file '/no/such'"],
  ])('exits 2 for %j', async (argv, message) => {
    const text = await sample(...argv)
    expect(text).toMatchObject({exit: 2, oclifExit: 2})
    expect(text.stderr).toContain(message)
    const json = await sample(...argv, '--json')
    expect(json.exit).toBe(2)
    expect(JSON.parse(json.stdout)).toMatchObject({error: {exitCode: 2}})
  })
})

describe('signals', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cc-command-'))
  })
  afterEach(async () => {
    await rm(dir, {recursive: true})
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends the step, lets it clean up, and exits %i', async (signal, status) => {
    const module = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)))
    const step = `trap 'echo cleaned >>"$1"; exit 1' TERM; echo started >"$1"; sleep 300 & wait`
    const script = join(dir, 'cli.mts')
    await writeFile(
      script,
      `import {CcCommand} from ${module('command.ts')}
      import {run} from ${module('../exec/index.ts')}
      class Cli extends CcCommand {
        async run() {
          await run(['bash', '-c', ${JSON.stringify(step)}, 'bash', ${JSON.stringify(join(dir, 'trace'))}], {signal: this.context.signal})
        }
      }
      await Cli.run([], {root: ${JSON.stringify(root)}}).catch((error) => process.exit(error.oclif.exit))`,
    )
    const tsx = fileURLToPath(import.meta.resolve('tsx'))
    const cli = spawn(process.execPath, ['--import', tsx, script], {stdio: ['ignore', 'ignore', 'pipe']})
    let stderr = ''
    cli.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    await vi.waitFor(
      async () => {
        await readFile(join(dir, 'trace'))
      },
      {timeout: 20_000, interval: 50},
    )
    cli.kill(signal)
    const [code] = (await once(cli, 'close')) as [number]
    expect(stderr).toBe(
      `error[E_INTERRUPTED]: interrupted by ${signal}\n  try: run the same command again: it goes on from there\n`,
    )
    expect(code).toBe(status)
    expect(await readFile(join(dir, 'trace'), 'utf8')).toBe('started\ncleaned\n')
  })
})
