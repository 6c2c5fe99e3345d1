import {execFileSync} from 'node:child_process'
import {chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {CcError} from '../errors/index.js'
import {checkPaths, loadConfig, parseConfig, pathsOf, readYaml, type Config} from './index.js'
import {alternatives, isPathNode, pathNodes, type PathNode} from './path-nodes.js'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-paths-'))
  chmodSync(root, 0o755)
  for (const name of ['file', 'closed', 'empty'])
    writeFileSync(join(root, name), name === 'empty' ? '' : name.padEnd(32, '.'), {mode: 0o600})
  writeFileSync(join(root, 'short'), '.'.repeat(31), {mode: 0o600})
  writeFileSync(join(root, 'open'), '.'.repeat(32), {mode: 0o640})
  chmodSync(join(root, 'closed'), 0)
  mkdirSync(join(root, 'folder'))
  execFileSync('mkfifo', ['--mode=666', join(root, 'fifo')])
  symlinkSync('loop', join(root, 'loop'))
})
afterAll(() => {
  rmSync(root, {recursive: true, force: true})
})

const repository = {source: 'deb https://host.example/x y z', fingerprint: '0'.repeat(40)}

/** A configuration with a path in each key that has one: the least that the schema accepts around it. */
const everyPath: Readonly<Record<string, (path: string) => Record<string, unknown>>> = {
  'source.iso': (iso) => ({source: {iso}}),
  'source.sha256sums': (sha256sums) => ({source: {iso: '/x', sha256sums}}),
  'source.sha256sumsSignature': (sha256sumsSignature) => ({
    source: {iso: '/x', sha256sums: '/x', keyring: '/x', sha256sumsSignature},
  }),
  'source.keyring': (keyring) => ({source: {keyring}}),
  'source.mirrors': (path) => ({source: {mirrors: [path]}}),
  'os.files.[].from': (from) => ({os: {files: [{path: '/etc/x', from}]}}),
  'amd.patches': (patches) => ({amd: {patches}}),
  'nvidia.repository.key': (key) => ({nvidia: {repository: {...repository, key}}}),
  'nvidia.cuda.repository.key': (key) => ({nvidia: {cuda: {repository: {...repository, key}}}}),
  'nvidia.debs.[].file': (file) => ({nvidia: {debs: [{file, sha256: '0'.repeat(64)}]}}),
  'nvidia.patches': (path) => ({nvidia: {patches: [path]}}),
  'nvidia.signing.key': (key) => ({nvidia: {signing: {key, certificate: '/x'}}}),
  'nvidia.signing.certificate': (certificate) => ({nvidia: {signing: {key: '/x', certificate}}}),
  'attestation.snpguest.file': (file) => ({attestation: {snpguest: {file, sha256: '0'.repeat(64)}}}),
  'flare.wheels': (path) => ({flare: {wheels: [path]}}),
  'flare.findLinks': (path) => ({flare: {findLinks: [path]}}),
  'hardening.requirements': (requirements) => ({hardening: {requirements}}),
  'hardening.application': (application) => ({hardening: {application}}),
  'hardening.startupKit': (startupKit) => ({hardening: {startupKit}}),
  'hardening.mounts.inputKey': (inputKey) => ({hardening: {mounts: {inputKey}}}),
  'hardening.mounts.outputKey': (outputKey) => ({hardening: {mounts: {outputKey}}}),
  'launch.ovmf': (ovmf) => ({launch: {ovmf}}),
  'launch.tool': (tool) => ({launch: {tool}}),
  'launch.idBlock.idKey': (idKey) => ({launch: {idBlock: {idKey, authorKey: '/x'}}}),
  'launch.idBlock.authorKey': (authorKey) => ({launch: {idBlock: {idKey: '/x', authorKey}}}),
  'launch.stub': (stub) => ({launch: {stub}}),
  'signing.key': (key) => ({signing: {key}}),
  'kbs.caFile': (caFile) => ({kbs: {caFile}}),
  'kbs.client': (client) => ({kbs: {client, clientSha256: '0'.repeat(64)}}),
}

const sections = [
  'source',
  'os',
  'amd',
  'nvidia',
  'attestation',
  'flare',
  'hardening',
  'launch',
  'kbs',
  'signing',
] as const

/** The keys below a node of the schema that name something of this host. */
const keysOf = (node: PathNode, path: readonly string[]): string[] =>
  alternatives(node).flatMap((one) => [
    ...(isPathNode(one) ? [path.join('.').replace(/\.\[\]$/, '')] : []),
    ...Object.entries(one.properties ?? {}).flatMap(([key, inner]) => keysOf(inner, [...path, key])),
    ...(typeof one.additionalProperties === 'object' ? keysOf(one.additionalProperties, [...path, '<name>']) : []),
    ...(one.items === undefined ? [] : keysOf(one.items, [...path, '[]'])),
  ])

/** The message that a bad path has, and that names its key. */
function refusal(config: Config, missing: boolean): string {
  try {
    checkPaths(config, sections, {missing})
  } catch (error) {
    expect(error).toBeInstanceOf(CcError)
    expect(['E_CONFIG', 'E_KEY']).toContain((error as CcError).code)
    return (error as CcError).message
  }
  return ''
}

describe('paths of the host', () => {
  it('are all those that the schema has', () => {
    const named = [...new Set(keysOf(pathNodes(), []))].sort()
    expect(named.length).toBeGreaterThan(20)
    expect(Object.keys(everyPath).sort()).toEqual(named)
  })

  it.each(Object.entries(everyPath))('%s is found, and everything that it cannot be is refused by name', (key, of) => {
    const at = (name: string) => parseConfig(of(join(root, name)))
    const [own] = pathsOf(at('file'), sections).filter(({path}) => path === join(root, 'file'))
    expect(own?.key.replace(/\[\d+\]/g, '.[]').replace(/^(source|flare|nvidia)\.(\w+)\.\[\]$/, '$1.$2')).toBe(key)
    const kind = own?.kind ?? 'file'
    // What the others lead to, the placeholders, is not there.
    const good = kind === 'folder' ? 'folder' : 'file'
    expect(refusal(at(good), false)).toBe('')
    const shown = own?.key ?? ''
    const mayBeEmpty = kind === 'any' || own?.leastBytes === 0
    if (kind === 'file')
      expect(refusal(at('empty'), false)).toBe(mayBeEmpty ? '' : `${shown}: '${join(root, 'empty')}' is empty`)
    const isKey = own?.leastBytes === 32
    expect(refusal(at('short'), false).includes('has 31 bytes, at least 32 are needed')).toBe(isKey)
    expect(refusal(at('open'), false).includes('has mode 640: others can read it')).toBe(own?.secret === true)
    const words = {file: 'file', folder: 'folder', any: 'file or folder'}[kind]
    expect(refusal(at('fifo'), false)).toBe(`${shown}: '${join(root, 'fifo')}' is a named pipe, not a ${words}`)
    expect(refusal(at('loop'), false)).toContain(`${shown}: cannot read '${join(root, 'loop')}': ELOOP`)
    expect(refusal(at('file/x'), false)).toContain(`${shown}: cannot read '${join(root, 'file/x')}': ENOTDIR`)
    expect(refusal(at('missing'), false)).toBe('')
    expect(refusal(at('missing'), true)).toContain(`${shown}: there is no ${words} '${join(root, 'missing')}'`)
    if (kind !== 'any') {
      const other = kind === 'folder' ? 'file' : 'folder'
      expect(refusal(at(other), false)).toBe(`${shown}: '${join(root, other)}' is a ${other}, not a ${kind}`)
    }
  })

  it('are secret where they hold a key', () => {
    const secret = Object.entries(everyPath).filter(
      ([, of]) =>
        pathsOf(parseConfig(of(join(root, 'file'))), sections).find(({path}) => path === join(root, 'file'))?.secret,
    )
    expect(secret.map(([key]) => key)).toEqual([
      ...['nvidia.signing.key', 'hardening.mounts.inputKey', 'hardening.mounts.outputKey'],
      ...['launch.idBlock.idKey', 'launch.idBlock.authorKey', 'signing.key'],
    ])
  })

  it.each(Object.entries(everyPath))('%s is taken from the folder of the file that names it', (_, of) => {
    const file = join(root, 'folder', 'cc.yaml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(of('../relative')))
    const absolute = (config: Config) => pathsOf(config, sections).map(({path}) => path)
    // What the schema says of an archive's key is said of the path as it is then.
    expect(absolute(loadConfig(file))).toContain(join(root, 'relative'))
  })

  it('are not what may stand in their place', () => {
    const config = loadConfig(null, [
      'source.mirrors=[deb http://host.example/x y z]',
      `nvidia.repository=${JSON.stringify({...repository, key: 'https://host.example/key'})}`,
    ])
    expect(pathsOf(config, sections)).toEqual([])
    expect(config.source.mirrors).toEqual(['deb http://host.example/x y z'])
  })

  it('that may not be read are refused', () => {
    const config = parseConfig({launch: {ovmf: join(root, 'closed')}})
    const own = process.geteuid?.() ?? 0
    if (own === 0) process.seteuid?.(65534)
    try {
      expect(refusal(config, false)).toContain(`launch.ovmf: cannot read '${join(root, 'closed')}': EACCES`)
    } finally {
      if (own === 0) process.seteuid?.(0)
    }
  })

  it.each(['a\ufffd.iso', 'a\0.iso', 'a\n.iso'])('are refused as %j: no file is named by it', (name) => {
    expect(() => parseConfig({source: {iso: `/x/${name}`}})).toThrow('source.iso: expected a path in UTF-8')
  })
})

describe('a file in Latin-1', () => {
  it('is refused with the line, where its characters would become others', () => {
    const file = join(root, 'latin1.yaml')
    writeFileSync(file, Buffer.from('# x\nos:\n  hostname: ä\n', 'latin1'))
    expect(() => loadConfig(file)).toThrow(`${file} is not UTF-8: line 3`)
    writeFileSync(file, 'site: ä\n')
    expect(readYaml(file)).toEqual({site: 'ä'})
  })
})
