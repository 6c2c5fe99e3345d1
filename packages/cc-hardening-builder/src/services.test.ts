import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {parseConfig} from 'cc-core/config'

import {checkBundlePath} from './services/bundle.js'
import {readKitPorts} from './services/kit-ports.js'
import {allowLists, networkProblems} from './services/network.js'
import {findRequirements} from './services/requirements.js'
import {readSiteFile} from './services/site-file.js'
import {planSite} from './services/site.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cc-hardening-'))
})
afterEach(() => {
  rmSync(folder, {recursive: true, force: true})
})

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** A start-up kit as far as it is looked at. */
function kit(
  name: string,
  role: 'server' | 'client',
  content: object = {},
  local: Record<string, object> = {},
): string {
  const path = join(folder, name)
  mkdirSync(join(path, 'startup'), {recursive: true})
  mkdirSync(join(path, 'local'))
  writeFileSync(join(path, 'startup/start.sh'), '')
  writeFileSync(join(path, `startup/fed_${role}.json`), JSON.stringify(content))
  for (const [file, text] of Object.entries(local)) writeFileSync(join(path, 'local', file), JSON.stringify(text))
  return path
}

/** What nvflare 2.9.0 writes, as far as ports go. */
const serverKit = {servers: [{service: {target: 'server1:9102', scheme: 'grpc'}, admin_port: 9103}]}
const clientKit = {servers: [{service: {target: 'server1:9102', scheme: 'grpc'}}]}

const hardening = (values: object) => parseConfig({hardening: values}).hardening
const site = (values: object) => planSite(parseConfig({hardening: values}))

describe('the requirements', () => {
  it('are the file that is named, or the one in the folder that is named, or in the current one', () => {
    const file = write('requirements.txt', '')
    expect(findRequirements(file, '/')).toBe(file)
    expect(findRequirements(folder, '/')).toBe(file)
    expect(findRequirements(null, folder)).toBe(file)
    expect(() => findRequirements('other.txt', folder)).toThrow(`looked for '${join(folder, 'other.txt')}'`)
    expect(() => findRequirements(null, '/proc')).toThrow("looked for '/proc/requirements.txt'")
  })
})

describe('the allow-lists', () => {
  const problems = (network: object) => networkProblems(allowLists(hardening({network}).network, 'server')).join('\n')

  it('are what the role needs when nothing is configured', () => {
    const {network} = hardening({})
    expect(allowLists(network, 'server')).toMatchObject({inbound: [{port: 8002}], outbound: []})
    expect(allowLists(network, 'client')).toMatchObject({inbound: [], outbound: [{port: 8002}]})
    expect(problems({})).toBe('')
  })

  it.each([
    [{inbound: [{port: 8002}, {port: 8002}]}, 'inbound: tcp/8002 stands twice'],
    [
      {inbound: [{port: 8002, cidr: '10.0.0.0/8'}, {port: 8002}]},
      'tcp/8002@10.0.0.0/8 restricts a port that tcp/8002 opens to everybody',
    ],
    [{outbound: [{port: 53, protocol: 'udp'}]}, 'use hardening.network.resolvers'],
    [{inbound: [{port: 68, protocol: 'udp'}]}, 'our DHCP client'],
  ])('refuse %j', (network, reason) => {
    expect(problems(network)).toContain(reason)
  })

  it('allow one port to two networks, and the same number of two protocols', () => {
    const cidrs = ['10.0.0.0/8', 'fd00::/8'].map((cidr) => ({port: 8002, cidr}))
    expect(problems({inbound: [...cidrs, {port: 8003}, {port: 8003, protocol: 'udp'}]})).toBe('')
  })

  it('take a rule that names link-local addresses beside one without a network, outbound only', () => {
    const rules = (cidr: string) => [{port: 80}, {port: 80, cidr}]
    for (const cidr of ['169.254.169.254/32', 'fe80::/10', 'FEBF::1/128'])
      expect(problems({outbound: rules(cidr)}), cidr).toBe('')
    for (const cidr of ['169.0.0.0/8', 'fe00::/8', 'fec0::/10', '10.0.0.0/8'])
      expect(problems({outbound: rules(cidr)}), cidr).toContain('opens to everybody')
    expect(problems({inbound: rules('169.254.169.254/32')})).toContain('opens to everybody')
  })

  it.each([
    [{port: 0}],
    [{port: 65536}],
    [{port: 1, cidr: '10.0.0.1/8'}],
    [{port: 1, cidr: '10.0.0.0/33'}],
    [{port: 1, cidr: 'fd00::1/64'}],
    [{port: 1, cidr: '10.0.0.0'}],
  ])('have no rule like %j', (rule) => {
    expect(() => hardening({network: {inbound: [rule]}})).toThrow('hardening.network.inbound')
  })
})

describe('a site', () => {
  it('is told its rules in the form that the guest reads', () => {
    const network = {inbound: [{port: 8002, cidr: '10.0.0.0/8'}], outbound: [], hosts: {server1: '10.0.0.1'}}
    const {conf, name, role} = site({startupKit: kit('server1', 'server'), network})
    expect([name, role]).toEqual(['server1', 'server'])
    expect(conf).toEqual(
      expect.arrayContaining([
        'version=1',
        'role=server',
        'inbound=tcp/8002@10.0.0.0/8',
        'outbound=',
        'hosts=server1=10.0.0.1',
        'input=',
        'output=/mnt/data/nvflare/output',
      ]),
    )
  })

  it.each([
    [{}, 'nothing says which'],
    [{role: 'client', mounts: {output: '/mnt/out'}}, "mounts.output: a client has no output, got '/mnt/out'"],
    [{role: 'client', mounts: {outputKey: '/k'}}, 'a client has no output disk'],
    [{role: 'server', mounts: {inputKey: '/k'}}, 'a server has no input disk'],
    [{role: 'client', mounts: {inputKey: '/no/such/key'}}, "there is no file '/no/such/key'"],
    [{role: 'client', startupKit: '/proc'}, "'/proc' is not a start-up kit"],
  ])('refuses %j', (values, reason) => {
    expect(() => site(values)).toThrow(reason)
  })

  it('refuses the kit of the other role', () => {
    expect(() => site({role: 'client', startupKit: kit('s', 'server')})).toThrow('is the kit of a server')
  })
})

describe('the ports of a start-up kit', () => {
  it.each([
    ['server', serverKit, {}, {inbound: [9102, 9103], outbound: []}],
    ['client', clientKit, {}, {inbound: [], outbound: [9102]}],
    // Both of a server that has one port for both.
    ['server', {servers: [{service: {target: 's:443'}, admin_port: '443'}]}, {}, {inbound: [443], outbound: []}],
    ['client', clientKit, {'relay__resources.json': {relay_config: {address: 'r:7000'}}}, {outbound: [9102, 7000]}],
    [
      'client',
      clientKit,
      {'comm_config.json': {internal: {resources: {host: 'site-1', port: 7100}}}},
      {inbound: [7100]},
    ],
    [
      'client',
      clientKit,
      {'comm_config.json': {internal: {resources: {host: 'localhost', port: 7100}}}},
      {inbound: []},
    ],
    // nvflare 2.5
    [
      'client',
      {servers: [{service: {scheme: 'grpc'}}], overseer_agent: {args: {sp_end_point: 'server1:8102:8103'}}},
      {},
      {inbound: [], outbound: [8102]},
    ],
    [
      'client',
      {servers: [], overseer_agent: {args: {overseer_end_point: 'https://overseer/api/v1'}}},
      {},
      {outbound: [443]},
    ],
  ] as const)('of a %s with %j and %j', (role, content, local, ports) => {
    expect(readKitPorts(kit('k', role, content, local))).toMatchObject(ports)
  })

  it('are the lists, where nothing else is configured', () => {
    const of = (role: 'server' | 'client', content: object) => site({startupKit: kit(role, role, content)})
    expect(of('server', serverKit).conf).toEqual(expect.arrayContaining(['inbound=tcp/9102 tcp/9103', 'outbound=']))
    const client = of('client', clientKit)
    expect(client.conf).toEqual(expect.arrayContaining(['inbound=', 'outbound=tcp/9102']))
    expect(client.notes).toEqual([])
  })

  it('are added to what is configured, unless a rule is there for them, and that is said', () => {
    const startupKit = kit('client', 'client', clientKit)
    const added = site({startupKit, network: {outbound: [{port: 443}, {port: 9102, protocol: 'udp'}]}})
    expect(added.conf).toContain('outbound=tcp/443 udp/9102 tcp/9102')
    expect(added.notes).toEqual(['hardening.network.outbound: the start-up kit needs tcp/9102, so this rule was added'])
    const there = site({startupKit, network: {outbound: [{port: 9102, cidr: '10.0.0.0/8'}]}})
    expect(there.conf).toContain('outbound=tcp/9102@10.0.0.0/8')
    expect(there.notes).toEqual([])
  })

  it.each([
    [{servers: [{service: {target: 'server1'}}]}, 'servers.0.service.target: expected an address with a port'],
    [{servers: [{service: {target: 'server1:70000'}}]}, 'servers.0.service.target'],
    [{servers: [{admin_port: 'x'}]}, 'servers.0.admin_port'],
    [{servers: 'none'}, 'servers: '],
    [[], 'expected object'],
  ])('refuse %j, naming the file', (content, reason) => {
    const path = kit('k', 'server', content)
    expect(() => readKitPorts(path)).toThrow(`'${join(path, 'startup/fed_server.json')}'`)
    expect(() => readKitPorts(path)).toThrow(reason)
  })

  it('refuse a file that is not JSON', () => {
    const path = kit('k', 'client')
    writeFileSync(join(path, 'startup/fed_client.json'), '{')
    expect(() => readKitPorts(path)).toThrow('JSON')
  })
})

describe('the folder of a bundle', () => {
  it.each(['/srv/build/site-1', '/srv/a&b,c/site.1_x@y'])('may be %s', (path) => {
    expect(() => {
      checkBundlePath(path)
    }).not.toThrow()
  })

  it.each([
    ['/srv/my build/site-1', "which has a ' '"],
    ['/srv/build/site 1', "which has a ' '"],
    ['/srv/build/a&b', "which has a '&'"],
    ['/srv/build/a,b', "which has a ','"],
  ])('cannot be %s', (path, reason) => {
    expect(() => {
      checkBundlePath(path)
    }).toThrow(reason)
  })
})

describe('the site configuration of NVIDIA FLARE', () => {
  it('gives role, kit, ports, hosts and size, and says what has no effect', () => {
    const file = write(
      'cc.yml',
      `compute_env: onprem_cvm
cc_cpu_mechanism: amd_sev_snp
cc_gpu_mechanism: nvidia_cc
role: server
root_drive_size: 30
applog_drive_size: 2
secure_drive_size: 4
data_source: 10.0.0.9:/data
docker_archive: ~/app.tar.gz
user_config: {nvflare: /kits/server1}
allowed_ports: [8002]
allowed_out_ports: [443, 8999]
hosts_entries: {server1: 10.0.0.1}
cc_issuers: [{id: snp_authorizer}]
cc_attestation: {check_frequency: 120}
`,
    )
    const {settings, notes, logGiB} = readSiteFile(file)
    expect(logGiB).toBe(2)
    expect(settings).toEqual({
      'nvidia.enabled': true,
      'hardening.role': 'server',
      'layout.size': '30G',
      'hardening.startupKit': '/kits/server1',
      'hardening.network.inbound': [{port: 8002}],
      'hardening.network.outbound': [{port: 443}, {port: 8999}],
      'hardening.network.hosts': {server1: '10.0.0.1'},
    })
    expect(notes.map((note) => note.split(' ')[0])).toEqual([...['secure_drive_size', 'data_source', 'docker_archive']])
    expect(notes.join('\n')).toMatch(/secure_drive_size .*layout\.partitions\.cc-app\.size/)
    expect(notes.join('\n')).toMatch(/data_source .*nvflare-input/)
  })

  it.each([
    ['compute_env: azure_cvm', "this command builds for 'onprem_cvm'"],
    ['cc_cpu_mechanism: intel_tdx', "this command builds for 'amd_sev_snp'"],
    ['applog_drive_size: 1.5', 'applog_drive_size: expected a number of GiB, got 1.5'],
    ['rolle: client', 'rolle: it is not a key that this command knows'],
    ['user_config: {extra: /x}', 'user_config.extra'],
  ])('refuses %s', (text, reason) => {
    expect(() => readSiteFile(write('cc.yml', `${text}\n`))).toThrow(reason)
  })
})
