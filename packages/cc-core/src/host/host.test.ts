import {execFileSync} from 'node:child_process'
import {chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import type {CcError} from '../errors/index.js'
import * as environment from '../exec/environment.js'
import {scriptsDirectory} from '../steps/index.js'
import {installCommand, missingTools, preflight, tools, userNamespaceProblem} from './index.js'
import {subordinateIdProblem} from './subordinate-ids.js'
import {explainRefusal, namespaceCommand} from './user-namespace.js'

const scripts = readdirSync(scriptsDirectory(), {recursive: true, encoding: 'utf8'})
  .filter((name) => name.endsWith('.sh') && !name.startsWith('guest/'))
  .map((name) => readFileSync(join(scriptsDirectory(), name), 'utf8'))

describe('tools', () => {
  it('has every program that a step says it needs', () => {
    const needed = scripts.flatMap((text) =>
      [...text.matchAll(/^\s*need ([^"$\n]+)$/gm)].flatMap(([, names = '']) => names.trim().split(' ')),
    )
    expect(needed.length).toBeGreaterThan(20)
    const known = tools.map(({program}) => program)
    expect(known).toEqual(expect.arrayContaining(needed))
  })

  it('is what the set-up of a checkout installs', () => {
    const file = join(scriptsDirectory(), '../tools/debian-packages.txt')
    // Further down is what only tests need.
    const [users = ''] = readFileSync(file, 'utf8').split('# --- to make the stand-in')
    const installed = users.split('\n')
    // Essential packages, and apt, are on every host.
    const essential = ['apt', 'coreutils', 'dpkg']
    const missing = tools.map((tool) => tool.package).filter((name) => ![...installed, ...essential].includes(name))
    expect(missing).toEqual([])
  })

  it('gives one command for all that is missing', () => {
    const missing = tools.filter(({program}) => ['newuidmap', 'newgidmap', 'cpio'].includes(program))
    expect(installCommand(missing)).toBe('sudo apt-get install --yes cpio uidmap')
  })
})

describe('subordinate ids', () => {
  const user = {name: 'ada', uid: 1001}
  const enough = 'ada:100000:65536\n'

  it.each([
    ['by name', enough],
    ['by number', '1001:100000:65536'],
    ['behind others, comments and nonsense', `# x\nbob:1:2\n:::\n${enough}`],
    ['in several ranges', 'ada:10:10\nbob:1:2\n1001:100000:65526\n'],
  ])('finds them %s', (_, text) => {
    expect(subordinateIdProblem(user, {subuid: text, subgid: text})).toBeNull()
  })

  it.each([
    ['', enough, '0 in /etc/subuid', '165536-231071'],
    [enough, 'ada:500000:1000\n', '1000 in /etc/subgid', '501000-566535'],
    ['ada:1:10\nada:100000:65525', enough, '65535 in /etc/subuid', '165536-231071'],
    // The kernel refuses to map an id twice.
    ['ada:100000:40000\nada:120000:40000', enough, '40000 in /etc/subuid', '165536-231071'],
    ['adam:100000:65536', 'adam:100000:65536', '0 in /etc/subuid and 0 in /etc/subgid', '165536-231071'],
  ])('says what is short and adds a range that is free: %j %j', (subuid, subgid, message, range) => {
    const problem = subordinateIdProblem(user, {subuid, subgid})
    expect(problem?.message).toContain(`the user 'ada' has ${message}, and needs 65536`)
    expect(problem?.fix).toBe(`sudo usermod --add-subuids ${range} --add-subgids ${range} ada`)
  })
})

describe('a user without an entry in /etc/passwd', () => {
  it('is told why it cannot build', () => {
    const problem = subordinateIdProblem({name: null, uid: 4242}, {subuid: '4242:100000:65536', subgid: ''})
    expect(problem?.message).toContain('the user 4242 has no entry in /etc/passwd')
    expect(problem?.fix).toContain('useradd --uid 4242')
  })

  it('is not a bug', () => {
    const script = `import {currentUser, homeDirectory} from 'cc-core/exec'
      console.log(JSON.stringify([currentUser(), homeDirectory()]))`
    const words = ['--reuid', '4242', '--regid', '4242', '--clear-groups', '--', process.execPath]
    if (process.getuid?.() !== 0) words.splice(0, 5, '--')
    const node = [...words, '--input-type=module', '--eval', script]
    const cwd = join(scriptsDirectory(), '../packages/cc-core')
    const {HOME: _, ...env} = process.env
    const [user, home] = JSON.parse(execFileSync('setpriv', node, {cwd, env, encoding: 'utf8'})) as unknown[]
    if (process.getuid?.() === 0) expect([user, home]).toEqual([{uid: 4242, name: null}, null])
    else expect(user).toMatchObject({uid: process.getuid?.()})
  })
})

describe('user namespaces', () => {
  it('are tried as the steps make them', () => {
    const step = readFileSync(join(scriptsDirectory(), 'lib/step.sh'), 'utf8')
    const [shell, script, ...words] = namespaceCommand()
    expect(step).toContain(
      `${shell} "${script?.replace(scriptsDirectory(), '$scripts_dir')}" "\${step_offline[@]}" bash`,
    )
    expect(step).toContain(`step_offline=(${words.join(' ')})`)
  })

  it.each([
    [{'kernel.apparmor_restrict_unprivileged_userns': '1'}, 'kernel.apparmor_restrict_unprivileged_userns = 0'],
    [{'kernel.unprivileged_userns_clone': '0'}, 'kernel.unprivileged_userns_clone = 1'],
    [{'user.max_user_namespaces': '0'}, 'user.max_user_namespaces = 15000'],
  ])('are allowed by the switch that forbids them: %j', (values, setting) => {
    const problem = explainRefusal('unshare: Operation not permitted', values)
    expect(problem.message).toContain('unshare: Operation not permitted; ')
    expect(problem.fix).toContain(`echo '${setting}' | sudo tee`)
  })

  it('need another host where no switch forbids them', () => {
    const values = {'kernel.apparmor_restrict_unprivileged_userns': '0', 'user.max_user_namespaces': '100'}
    expect(explainRefusal('unshare: no', values).fix).toContain('run it as root')
  })
})

describe('on a host that lacks something', () => {
  let bin: string
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'cc-host-'))
    for (const {program} of tools) {
      writeFileSync(join(bin, program), '#!/bin/sh\necho version 99.0\n')
      chmodSync(join(bin, program), 0o755)
    }
    symlinkSync('/bin/sh', join(bin, 'sh'))
    // What starts all others.
    rmSync(join(bin, 'setpriv'))
    symlinkSync('/usr/bin/setpriv', join(bin, 'setpriv'))
    // The real search path always has the administrator's folders.
    const {findProgram, baseEnvironment} = environment
    vi.spyOn(environment, 'findProgram').mockImplementation((name) => findProgram(name, bin))
    vi.spyOn(environment, 'baseEnvironment').mockImplementation(() => ({...baseEnvironment(), PATH: bin}))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    rmSync(bin, {recursive: true})
  })

  it('names all programs at once, and only those of the purpose', async () => {
    for (const name of ['cpio', 'xorriso', 'qemu-system-x86_64']) rmSync(join(bin, name))
    expect(missingTools('open').map(({program}) => program)).toEqual(['cpio'])
    await expect(preflight('build')).rejects.toMatchObject({
      ...{code: 'E_HOST_TOOL', exitCode: 3, message: "this host lacks 'cpio', 'xorriso'"},
      suggestions: ['sudo apt-get install --yes cpio xorriso'],
    })
    await expect(preflight('boot')).rejects.toMatchObject({message: "this host lacks 'qemu-system-x86_64'"})
  })

  it('names each program that is too old, with both versions and the reason', async () => {
    for (const [name, text] of [
      ['mkfs.ext4', 'echo "mke2fs 1.45.7 (28-Jan-2021)" >&2'],
      ['mmdebstrap', 'echo "no number here"'],
    ] as const) {
      rmSync(join(bin, name))
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(bin, name), 0o755)
    }
    const error = await preflight('build').then(
      () => null,
      (thrown: unknown) => thrown as CcError,
    )
    expect(error).toMatchObject({code: 'E_HOST_TOOL', exitCode: 3})
    expect(error?.message).toMatch(/'mkfs\.ext4' is 1\.45\.7, and 1\.\d+ or newer is needed for what is tested/)
    expect(error?.message).toContain("'mmdebstrap' does not say its version")
    await expect(preflight('patch')).resolves.toBeUndefined()
  })

  it('tells why a namespace cannot be made', async () => {
    rmSync(join(bin, 'unshare'))
    writeFileSync(join(bin, 'unshare'), '#!/bin/sh\necho "unshare: failed" >&2\nexit 1\n')
    chmodSync(join(bin, 'unshare'), 0o755)
    for (const name of ['bash', 'id', 'awk']) symlinkSync(join('/usr/bin', name), join(bin, name))
    expect((await userNamespaceProblem())?.message).toContain('unshare: failed')
  })
})
