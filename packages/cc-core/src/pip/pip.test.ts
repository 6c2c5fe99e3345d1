import {mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import {sha256File} from '../manifest/index.js'
import {scriptsDirectory} from '../steps/index.js'
import {planPip, planRequirements, readPip} from './index.js'
import {pipWheel} from './read.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc pip '))
  // What this machine is configured for must not decide.
  for (const name of Object.keys(process.env).filter((key) => key.startsWith('PIP_'))) vi.stubEnv(name, undefined)
  vi.stubEnv('PIP_CONFIG_FILE', join(folder, 'pip.conf'))
  vi.stubEnv('HOME', folder)
  write('pip.conf', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, {recursive: true, force: true})
})

function write(name: string, text: string | Uint8Array): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), {recursive: true})
  writeFileSync(file, text)
  return file
}
const read = (text: string | Uint8Array, installed = {}) => readPip({file: write('requirements.txt', text)}, installed)
const at = (...names: string[]) => names.map((name) => join(folder, name))
const none: {indexUrl: string | null} = {indexUrl: null}

describe('the reader of requirements', () => {
  beforeEach(() => {
    for (const name of ['pyproject.toml', 'src/pyproject.toml']) write(name, '[project]\nname="x"\nversion="1"\n')
    for (const name of ['a-1-py3-none-any.whl', 'wheel dir/b-1-py3-none-any.whl']) write(name, 'wheel')
    write('my reqs.txt', 'six\n-r nested/more.txt\n')
    write('nested/more.txt', './a-1-py3-none-any.whl\n-f ../wheel\\ dir\n')
  })

  it.each([
    ['.', {projects: ['']}],
    ['.[extra]', {projects: ['']}],
    ['-e .', {projects: ['']}],
    ['-e .[dev]', {projects: ['']}],
    ['-e src', {projects: ['src']}],
    [
      '-r "my reqs.txt"',
      {files: ['my reqs.txt', 'nested/more.txt'], archives: ['a-1-py3-none-any.whl'], folders: ['wheel dir']},
    ],
    [String.raw`-r my\ reqs.txt`, {files: ['my reqs.txt', 'nested/more.txt']}],
    ['--find-links "wheel dir"', {folders: ['wheel dir']}],
    ['--find-links=https://h/wheels', {folders: []}],
    ['file:./a-1-py3-none-any.whl', {archives: ['a-1-py3-none-any.whl']}],
    ['file://${HOME}/a-1-py3-none-any.whl', {archives: ['a-1-py3-none-any.whl']}],
    [`./a-1-py3-none-any.whl --hash=sha256:${'0'.repeat(64)}`, {archives: ['a-1-py3-none-any.whl']}],
    ['x @ ./gone-1-py3-none-any.whl ; python_version < "3"', {archives: []}],
    ['six \\\n  ; python_version > "3" # ./not-this.whl', {archives: []}],
    ['nvflare>=2.8', {archives: []}],
  ] as [string, Partial<Record<'projects' | 'files' | 'archives' | 'folders', string[]>>][])(
    'finds what %s names',
    async (line, expected) => {
      const reading = await read(`${line}\n`, {nvflare: '2.9.0'})
      for (const [kind, names] of Object.entries(expected)) {
        const found = reading[kind as 'files'].filter((path) => path !== join(folder, 'requirements.txt'))
        expect(found, kind).toEqual(at(...names))
      }
    },
  )

  it.each([
    ['-e nope', 'nope is not a valid editable requirement'],
    ['./nope', "line 1: Invalid requirement: './nope'"],
    ['wheel\\ dir/', 'Invalid requirement'],
    ['-r nope.txt', "line 1: there is no '"],
    ['-r "unclosed', 'Could not split options'],
    ['-f ./nope', "line 1: there is no '"],
    ['-f a -f b', 'only the first --find-links'],
    ['--frobnicate', 'no such option'],
    ['./gone-1-py3-none-any.whl', "line 1: there is no '"],
    ['file:../x-1-py3-none-any.whl', "/x-1-py3-none-any.whl'"],
    ['file://server/x-1-py3-none-any.whl', "non-local file URIs are not supported on this platform: 'file://server/x"],
    ['-r file://server/x.txt', "line 1: non-local file URIs are not supported: 'file://server/x.txt'"],
    ['file:///a%zz.whl', "Invalid wheel filename (wrong number of parts): 'a%zz'"],
    ['file:///a%zz-1-py3-none-any.whl', 'a%zz'],
    ['six ; bad', 'line 1: Expected a marker'],
    ['x @ https://u:${NO_SUCH_TOKEN}@h/x.whl', "the variable 'NO_SUCH_TOKEN' is not set"],
    ['-r requirements.txt', 'recursively references itself'],
    ['nvflare==2.5.2', "'nvflare==2.5.2' is another version than the one of the image: nvflare 2.9.0"],
    ['NVFlare<2.9', "'NVFlare<2.9' is another version"],
  ])('refuses %s, with the file', async (line, message) => {
    const error = await read(`${line}\n`, {nvflare: '2.9.0'}).catch((reason: unknown) => reason)
    expect(error).toMatchObject({code: 'E_PACKAGE', message: expect.stringContaining(message) as string})
    expect((error as Error).message).toContain('requirements.txt')
  })

  it('decodes as pip does, in nested files as well', async () => {
    const utf16 = Buffer.from('\uFEFF-r "größe.txt"\n', 'utf16le')
    write('größe.txt', Buffer.from('# -*- coding: latin-1 -*-\n# größe\n./a-1-py3-none-any.whl\n', 'latin1'))
    expect((await read(utf16)).archives).toEqual(at('a-1-py3-none-any.whl'))
    await expect(read(Buffer.from('six # größe\n', 'latin1'))).rejects.toMatchObject({
      code: 'E_PACKAGE',
      suggestions: [expect.stringContaining('coding: latin-1')],
    })
    await expect(read('# coding: klingon\nsix\n')).rejects.toThrow('klingon')
  })

  it('names the variables, and not their values', async () => {
    vi.stubEnv('INDEX_TOKEN', 's3cr3t')
    const reading = await read('--extra-index-url https://u:${INDEX_TOKEN}@h/simple\n')
    expect(reading).toMatchObject({variables: ['INDEX_TOKEN'], credentials: true})
    expect(JSON.stringify(reading)).not.toContain('s3cr3t')
  })

  it('uses the pip whose sha256 the steps expect', async () => {
    const library = readFileSync(join(scriptsDirectory(), 'lib/pip.sh'), 'utf8')
    expect(library).toContain(`pip_sha256=${await sha256File(pipWheel())}`)
    expect(library).toContain(`pip_wheel=${readdirSync(join(scriptsDirectory(), 'vendor')).join(' ')}`)
  })
})

describe('the plan of a requirements file', () => {
  const plan = (text: string, request = none, leaveOut: string[] = []) =>
    planRequirements(write('app/requirements.txt', text), request, {leaveOut})

  it('shares files, copies source folders, and leaves out what the build writes', async () => {
    write('app/pyproject.toml', '')
    write('app/build/image.qcow2', 'one')
    write('wheels/a-1-py3-none-any.whl', 'one')
    const leaveOut = at('app/build', 'elsewhere')
    const first = await plan('.\n-f ../wheels\n', none, leaveOut)
    expect(first.parameters).toMatchObject({share: at('wheels'), project: at('app'), 'leave-out': at('app/build')})
    write('app/build/image.qcow2', 'two')
    write('app/__pycache__/x.pyc', 'two')
    expect((await plan('.\n-f ../wheels\n', none, leaveOut)).inputs).toEqual(first.inputs)
    write('app/code.py', 'two')
    const second = await plan('.\n-f ../wheels\n', none, leaveOut)
    expect(second.inputs).not.toEqual(first.inputs)
    write('wheels/a-1-py3-none-any.whl', 'two')
    expect((await plan('.\n-f ../wheels\n', none, leaveOut)).inputs).not.toEqual(second.inputs)
  })

  it('says that -e is not meant', async () => {
    write('app/setup.py', '')
    expect((await plan('-e .\n')).notes).toEqual([expect.stringContaining("'-e .' is installed without -e")])
  })

  it('takes from pip what says how packages are reached, and names the rest', async () => {
    write(
      '.config/pip/pip.conf',
      '[global]\nextra-index-url = https://a/simple\n  https://u:pw@b/simple\ntarget = /x\n',
    )
    vi.stubEnv('XDG_CONFIG_HOME', undefined)
    vi.stubEnv('PIP_CONFIG_FILE', undefined)
    vi.stubEnv('PIP_INDEX_URL', 'https://mine/simple')
    vi.stubEnv('PIP_TRUSTED_HOST', 'mine')
    vi.stubEnv('PIP_FIND_LINKS', '/no/such/links')
    const {parameters, input, notes} = await plan('six\n')
    expect(parameters).toMatchObject({
      'index-url': 'https://mine/simple',
      'extra-index-url': ['https://a/simple', 'https://${CC_PIP_1}@b/simple'],
      'trusted-host': ['mine'],
      'find-links': [],
      expand: ['CC_PIP_1'],
      private: true,
    })
    expect(input).toBe('CC_PIP_1=u:pw\0')
    expect(notes.join('\n')).toMatch(/index-url=https:\/\/mine.*\n.*'\/no\/such\/links'\n.*no effect here with target/)
    expect(notes.join('\n')).not.toContain('pw')
    // cc.yaml wins over pip's own.
    expect((await plan('six\n', {indexUrl: 'https://yaml/simple'})).parameters['index-url']).toBe('https://yaml/simple')
  })

  it('refuses a configuration of pip that cannot be read', async () => {
    write('pip.conf', 'no section\n')
    await expect(plan('six\n')).rejects.toMatchObject({code: 'E_PACKAGE'})
  })
})

describe('the plan of requirements in cc.yaml', () => {
  it('keeps credentials out of the parameters', async () => {
    vi.stubEnv('INDEX_TOKEN', 't0ken')
    const {parameters, input} = await planPip(['x @ https://u:p@h/x.whl?sig=abc', 'six'], 'flare.requirements', {
      indexUrl: 'https://user:${INDEX_TOKEN}@h/simple',
      extraIndexUrls: ['https://user:hunter2@h/simple', 'https://h/${INDEX_TOKEN}/simple'],
    })
    expect(JSON.stringify(parameters)).not.toMatch(/hunter2|t0ken|u:p@|abc/)
    const pairs = [...input.matchAll(/(\w+)=(.*?)\0/g)]
    expect(pairs.map(([, , value]) => value).sort()).toEqual(
      ['sig=abc', 't0ken', 'u:p', 'user:hunter2', 'user:t0ken'].sort(),
    )
    expect(parameters['expand']).toEqual(pairs.map(([, name]) => name))
  })

  it.each([
    [['./x-1-py3-none-any.whl'], 'E_PACKAGE', 'flare.requirements, line 1'],
    [['six', '=='], 'E_PACKAGE', 'flare.requirements, line 2'],
    [['-f /etc'], 'E_CONFIG', "'/etc' in the image"],
  ])('refuses %j', async (lines, code, message) => {
    await expect(planPip(lines, 'flare.requirements', none)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    })
  })

  it('refuses a folder that is not there, and a variable that is not set', async () => {
    await expect(planPip(['six'], 't', {indexUrl: null, findLinks: ['/no/such']})).rejects.toMatchObject({
      code: 'E_CONFIG',
    })
    await expect(planPip(['six'], 't', {indexUrl: 'https://${NO_SUCH_TOKEN}@h/'})).rejects.toThrow(
      "'NO_SUCH_TOKEN' is not set",
    )
  })
})
