import {spawn} from 'node:child_process'
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import {CcError} from '../errors/index.js'
import {run, SubprocessError} from './index.js'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cc-exec-'))
})
afterEach(async () => {
  await rm(dir, {recursive: true})
})

const bash = (script: string, ...args: string[]) => ['bash', '-c', script, 'bash', ...args]

async function failure(promise: Promise<unknown>): Promise<SubprocessError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(SubprocessError)
  return error as SubprocessError
}

/** Whether a process runs; one that is dead but not yet waited for does not. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return status !== '' && !/\) [ZX] /.test(status)
}

/** The pids that a script wrote into a file, once there are `count` of them. */
async function pidsIn(file: string, count: number): Promise<number[]> {
  return vi.waitFor(
    async () => {
      const pids = (await readFile(file, 'utf8')).trim().split('\n').map(Number)
      expect(pids).toHaveLength(count)
      return pids
    },
    {timeout: 10_000, interval: 20},
  )
}

async function expectAllDead(pids: number[]): Promise<void> {
  await vi.waitFor(
    async () => {
      for (const pid of pids) expect(await isAlive(pid), `process ${pid} is alive`).toBe(false)
    },
    {timeout: 5000, interval: 20},
  )
}

describe('run', () => {
  it('returns output and exit status, and passes arguments without a shell', async () => {
    const result = await run(['printf', String.raw`%s\n`, '$HOME', 'a  b', '*'])
    expect(result).toMatchObject({exitCode: 0, stdout: '$HOME\na  b\n*', stderr: ''})
  })

  it('feeds stdin, and gives end of file without one', async () => {
    await expect(run(['cat'], {input: 'text'})).resolves.toMatchObject({stdout: 'text'})
    await expect(run(['cat'])).resolves.toMatchObject({stdout: ''})
  })

  it('starts from a clean environment', async () => {
    vi.stubEnv('CC_ATTESTATION_TOKEN', 'secret')
    vi.stubEnv('BASH_ENV', '/nowhere')
    const {stdout} = await run(['env'], {env: {ADDED: '1', HOME: undefined}, collect: true})
    vi.unstubAllEnvs()
    expect(stdout).toContain('ADDED=1')
    expect(stdout).toMatch(/^PATH=.*\/usr\/sbin/m)
    expect(stdout).not.toMatch(/^(CC_ATTESTATION_TOKEN|BASH_ENV|HOME)=/m)
  })

  it('does not let bash read the start-up file of the user', async () => {
    await writeFile(join(dir, '.bashrc'), 'echo from bashrc\n')
    await expect(run(bash('cat'), {input: 'x', env: {HOME: dir}})).resolves.toMatchObject({stdout: 'x'})
  })

  it('says kind, exit status, last lines and log of a failure', async () => {
    const logFile = join(dir, 'logs/step.log')
    const error = await failure(run(bash('seq 30; echo broken >&2; exit 3'), {logFile}))
    expect(error).toMatchObject({kind: 'exited', code: 'E_STEP_FAILED', exitCode: 5, details: {exitCode: 3}})
    expect(error.details.lastLines).toHaveLength(20)
    expect(error.message).toMatch(/^bash failed with exit status 3\n/)
    expect(error.message).toContain('broken')
    expect(error.suggestions).toContain(`read the log ${logFile}`)
  })

  it('returns a non-zero exit status when it is not to check', async () => {
    await expect(run(['false'], {check: false})).resolves.toMatchObject({exitCode: 1})
  })

  it('reports a signal as killed, not as an exit', async () => {
    const error = await failure(run(bash('kill -SEGV $$'), {check: false}))
    expect(error).toMatchObject({kind: 'killed', details: {signalName: 'SIGSEGV'}})
  })

  it('names a program that is missing, and a directory that is', async () => {
    expect(await failure(run(['no-such-program-here']))).toMatchObject({
      kind: 'spawn-failed',
      code: 'E_HOST_TOOL',
      exitCode: 3,
      message: "the program 'no-such-program-here' is not on this host",
    })
    const error = await failure(run(['true'], {cwd: join(dir, 'gone')}))
    expect(error.kind).toBe('spawn-failed')
    expect(error.message).toContain(join(dir, 'gone'))
  })

  it('writes command, output and ending to the log, for the owner only', async () => {
    const logFile = join(dir, 'step.log')
    await run(bash('echo "out $1"; echo err >&2', 'a b'), {logFile, env: {SIZE: '1'}, input: 'in'})
    const log = await readFile(logFile, 'utf8')
    expect(log).toMatch(/^# \d{4}-\d\d-\d\dT.* in \//)
    expect(log).toContain(`$ SIZE=1 bash -c 'echo "out $1"; echo err >&2' bash 'a b'\n`)
    expect(log).toContain('# stdin: "in"\n')
    expect(log).toContain('out a b\n')
    expect(log).toContain('err\n')
    expect(log).toMatch(/# .* exit status 0 after [\d.]+ s\n/)
    expect((await stat(logFile)).mode & 0o777).toBe(0o600)
  })

  it('keeps secrets out of the log and the error', async () => {
    const logFile = join(dir, 'step.log')
    const script = 'cat; echo "$TOKEN"; echo visible >&2; exit 1'
    const error = await failure(run(bash(script), {logFile, secret: true, input: 'CANARY1', env: {TOKEN: 'CANARY2'}}))
    const everything = [
      await readFile(logFile, 'utf8'),
      error.message,
      JSON.stringify(error),
      error.details.stdout,
    ].join('\n')
    expect(everything).toContain('visible')
    expect(everything).not.toContain('CANARY')
  })

  it('survives output that is not UTF-8, and logs it byte by byte', async () => {
    const logFile = join(dir, 'step.log')
    const lines: string[] = []
    const {stdout} = await run(bash(String.raw`printf 'a\xff\xfeb\n'`), {logFile, onLine: (line) => lines.push(line)})
    expect(stdout).toBe('a\uFFFD\uFFFDb')
    expect(lines).toEqual([stdout])
    expect((await readFile(logFile)).includes(Buffer.from([0x61, 0xff, 0xfe, 0x62]))).toBe(true)
  })

  it('keeps only the end of a huge output in memory', async () => {
    const before = process.memoryUsage().rss
    let peak = 0
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5)
    const {stdout} = await run(bash('head -c 400M /dev/zero | tr "\\0" x; echo; echo end'), {logFile: join(dir, 'log')})
    clearInterval(watch)
    expect(stdout.endsWith('x\nend')).toBe(true)
    expect(stdout.length).toBeLessThanOrEqual(64 * 1024)
    expect((peak - before) / 2 ** 20).toBeLessThan(200)
    expect((await stat(join(dir, 'log'))).size).toBeGreaterThan(400 * 2 ** 20)
  })

  it('returns everything when it is to collect', async () => {
    const {stdout} = await run(['seq', '100000'], {collect: true})
    expect(stdout.split('\n')).toHaveLength(100_000)
  })

  it('ends the program when a line cannot be handled', async () => {
    const promise = run(bash('echo line; sleep 60'), {
      onLine: () => {
        throw new Error('cannot handle it')
      },
    })
    await expect(promise).rejects.toThrow('cannot handle it')
  })
})

describe('nothing is left running', () => {
  const family = 'echo $$ >>"$1"; sleep 300 & echo $! >>"$1"; (sleep 300 & echo $! >>"$1"; wait) & wait'

  it('after an abort: grandchildren too', async () => {
    const file = join(dir, 'pids')
    const abort = new AbortController()
    const promise = run(bash(family, file), {signal: abort.signal})
    const pids = await pidsIn(file, 3)
    abort.abort()
    const error = await failure(promise)
    expect(error).toMatchObject({kind: 'killed', code: 'E_INTERRUPTED', exitCode: 130})
    expect(CcError.is(error)).toBe(true)
    await expectAllDead(pids)
  })

  it('lets a script clean up on abort', async () => {
    const abort = new AbortController()
    const script = 'trap \'sleep 0.2; echo cleaned >"$1"; exit 1\' TERM; echo ready; sleep 300 & wait'
    const promise = run(bash(script, join(dir, 'trace')), {
      signal: abort.signal,
      onLine: () => {
        abort.abort()
      },
    })
    await failure(promise)
    expect(await readFile(join(dir, 'trace'), 'utf8')).toBe('cleaned\n')
  })

  it('after a time-out, even when SIGTERM is ignored', async () => {
    const file = join(dir, 'pids')
    const started = Date.now()
    const error = await failure(run(bash(`trap '' TERM; ${family}`, file), {timeoutMs: 400, graceMs: 300}))
    expect(error).toMatchObject({kind: 'timed-out'})
    expect(error.message).toContain('0.4 s')
    expect(Date.now() - started).toBeLessThan(5000)
    await expectAllDead(await pidsIn(file, 3))
  })

  it('after a normal end: a forgotten background process that holds stdout', async () => {
    const file = join(dir, 'pids')
    const started = Date.now()
    await expect(run(bash('sleep 300 & echo $! >"$1"; echo done', file))).resolves.toMatchObject({stdout: 'done'})
    expect(Date.now() - started).toBeLessThan(5000)
    await expectAllDead(await pidsIn(file, 1))
  })

  it('when it was aborted before the start', async () => {
    const error = await failure(run(['touch', join(dir, 'x')], {signal: AbortSignal.abort()}))
    expect(error.code).toBe('E_INTERRUPTED')
    await expect(stat(join(dir, 'x'))).rejects.toThrow('ENOENT')
  })

  it('after SIGKILL of this program: children and grandchildren', async () => {
    const file = join(dir, 'pids')
    const script = join(dir, 'parent.mts')
    const module = fileURLToPath(new URL('run.ts', import.meta.url))
    await writeFile(
      script,
      `import {run} from ${JSON.stringify(module)}\nawait run(${JSON.stringify(bash(family, file))}, {logFile: ${JSON.stringify(join(dir, 'log'))}})\n`,
    )
    const tsx = fileURLToPath(import.meta.resolve('tsx'))
    const parent = spawn(process.execPath, ['--import', tsx, script], {stdio: 'inherit'})
    const pids = await pidsIn(file, 3)
    await sleep(50)
    for (const pid of pids) expect(await isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expectAllDead(pids)
  })

  it('and this program ends by itself: the guardian does not hold it', async () => {
    const script = join(dir, 'parent.mts')
    const module = fileURLToPath(new URL('run.ts', import.meta.url))
    await writeFile(
      script,
      `import {run} from ${JSON.stringify(module)}\nconsole.log((await run(['echo', 'hello'])).stdout)\n`,
    )
    const tsx = fileURLToPath(import.meta.resolve('tsx'))
    await expect(run([process.execPath, '--import', tsx, script], {timeoutMs: 20_000})).resolves.toMatchObject({
      stdout: 'hello',
    })
  })
})
