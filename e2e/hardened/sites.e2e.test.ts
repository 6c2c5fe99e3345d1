import {existsSync, readdirSync, statSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {boot, type Boot} from '../lib/boot.js'
import {flareImage} from '../lib/flare.js'
import {cc, errorOf, folder, runAsUser, type BuildJson} from '../lib/lab.js'
import {provision} from '../lib/kits.js'

const hour = 3_600_000
/** This host, as a machine sees it behind the address translation of QEMU. */
const host = '10.0.2.2'

let flare: BuildJson
let kit: (site: string) => string
let requirements: string

beforeAll(async () => {
  kit = await provision('kits', 'server1', 'site-1')
  flare = await flareImage()
  requirements = application('application', 'six==1.17.0\n')
}, hour)

/** A folder with a requirements.txt. */
function application(name: string, text: string): string {
  const file = join(folder(name), 'requirements.txt')
  writeFileSync(file, text)
  return file
}

const harden = (output: string, ...words: string[]) =>
  cc('nvflare_cc_hardening_builder', ['--image', flare.image, '--output', output, ...words, '--json'])

describe('nvflare_cc_hardening_builder refuses', () => {
  /** Nothing but the work folder may be written. */
  async function refuse(name: string, ...words: string[]): Promise<{code: string; message: string}> {
    const output = folder(`refused-${name}`)
    const error = errorOf(await harden(output, ...words))
    expect(readdirSync(output).filter((entry) => entry !== '.work')).toEqual([])
    return error
  }
  const client = () => ['--development', '--role', 'client', '--requirements', requirements]

  it('to begin without requirements, and says where it looked', async () => {
    const nowhere = folder('nowhere')
    const error = await refuse('none', '--development', '--role', 'client', '--requirements', nowhere)
    expect(error).toMatchObject({code: 'E_CONFIG'})
    expect(error.message).toContain(join(nowhere, 'requirements.txt'))
  })

  it('a wheel that is not there', async () => {
    const file = application('no-wheel', './missing-1.0-py3-none-any.whl\n')
    const error = await refuse('no-wheel', ...client().slice(0, 3), '--requirements', file)
    expect(error).toMatchObject({code: 'E_PACKAGE'})
    expect(error.message).toContain(join(dirname(file), 'missing-1.0-py3-none-any.whl'))
  })

  it('a requirement that cannot be met', async () => {
    const file = application('impossible', 'six==0.0.99\n')
    const error = await refuse('impossible', ...client().slice(0, 3), '--requirements', file)
    expect(error).toMatchObject({code: 'E_PACKAGE'})
    expect(error.message).toContain('six==0.0.99')
  })

  it('an output disk for a client', async () => {
    const error = await refuse('output', ...client(), '--set', 'hardening.mounts.output=/mnt/data/nvflare/output')
    expect(error).toMatchObject({code: 'E_CONFIG'})
    expect(error.message).toContain('a client has no output')
  })

  it('ports that contradict each other', async () => {
    const rules = '[{port: 8002}, {port: 8002, cidr: 10.0.0.0/8}]'
    const error = await refuse('ports', ...client(), '--set', `hardening.network.inbound=${rules}`)
    expect(error).toMatchObject({code: 'E_CONFIG'})
    expect(error.message).toContain('8002')
  })

  it('a development key in a production image', async () => {
    const words = ['--role', 'client', '--requirements', requirements, '--set', 'hardening.key=development']
    const error = await refuse('development', ...words)
    expect(error).toMatchObject({code: 'E_LAYOUT'})
    expect(error.message).toContain('development')
  })
})

describe('a server and a client', () => {
  let images: Record<string, string>
  let seconds: number[]

  /** Of the FLARE image, in one run, with the start-up kits of `nvflare provision`. */
  beforeAll(async () => {
    const output = folder('sites')
    const files = ['server1', 'site-1'].flatMap((site) => {
      const file = join(output, `${site}.yml`)
      const lines = [`site: ${site}`, `requirements: ${requirements}`, `user_config: {nvflare: ${kit(site)}}`]
      if (site !== 'server1') lines.push(`hosts_entries: {server1: ${host}}`)
      writeFileSync(file, lines.join('\n'))
      return ['--site', file]
    })
    const result = await harden(output, '--development', '--set', 'hardening.logs=console', ...files)
    if (result.exitCode !== 0) throw new Error(result.stdout + result.stderr)
    const {images: built} = JSON.parse(result.stdout) as {images: {label: string; image: string; ms: number}[]}
    images = Object.fromEntries(built.map(({label, image}) => [label, image]))
    seconds = built.map(({ms}) => ms / 1000)
  }, hour)

  it('are sealed in one run, each in less time than the image that they come from', () => {
    expect(Object.keys(images)).toEqual(['server1', 'site-1'])
    expect(Math.max(...seconds)).toBeLessThan(flare.ms / 1000)
    for (const image of Object.values(images)) expect(existsSync(join(image, 'keys/root.key'))).toBe(true)
  })

  it('share one root; what is their own is small', () => {
    const shared = join(dirname(dirname(images['site-1'] ?? '')), 'shared')
    expect(readdirSync(shared)).toHaveLength(1)
    const own = Object.values(images).map((image) => statSync(join(image, 'nvflare_cc_image_hardened.qcow2')).size)
    expect(Math.max(...own)).toBeLessThan(8 * 1024 ** 2)
  })

  it(
    'boot as well where the root was copied into the disk',
    async () => {
      const source = images['site-1'] ?? ''
      const name = 'nvflare_cc_image_hardened'
      const alone = join(folder('alone'), name)
      const steps = [
        ['cp', '-a', source, alone],
        ['qemu-img', 'convert', '-O', 'qcow2', join(source, `${name}.qcow2`), join(alone, 'whole')],
        ['mv', join(alone, 'whole'), join(alone, `${name}.qcow2`)],
      ]
      for (const step of steps) expect(await runAsUser(step)).toMatchObject({exitCode: 0})
      const said = await boot(alone, {memory: '2048', timeoutMs: 1_200_000, until: 'CC-READY {'})
      expect(said.console.join('\n')).toContain('CC-HARDENED {')
      expect(said.ended, said.console.join('\n')).toBe('came-up')
    },
    hour,
  )

  it(
    'find each other, each with the certificate of the other side',
    async () => {
      const words = ({console: lines}: Boot) => lines.join('\n')
      const options = {memory: '2048', timeoutMs: 1_200_000}
      let stopServer: () => void = () => undefined
      const server = boot(images['server1'] ?? '', {
        ...{...options, network: 'hostfwd=tcp:127.0.0.1:8002-:8002', until: 'never said'},
        onLine: (_line, stop) => (stopServer = stop),
      })
      const until = 'Successfully registered client:site-1'
      const clientSaid = await boot(images['site-1'] ?? '', {...options, network: true, until}).finally(() => {
        stopServer()
      })
      const serverSaid = await server
      for (const said of [serverSaid, clientSaid]) {
        expect(said.ended, words(said)).toBe('came-up')
        expect(words(said)).toContain('CC-HARDENED {')
        expect(words(said)).toContain('CC-READY {')
      }
      expect(words(serverSaid)).toMatch(/Client: New client site-1@.* joined/)
    },
    hour,
  )

  it(
    'show the open ports of the start-up kit on the server, and none on the client',
    async () => {
      const scan = async (site: string) => {
        const ids = ['scan-ipv4', 'scan-ipv6', 'network-silent'].flatMap((id) => ['--only', id])
        const words = ['hardened', '--image', images[site] ?? '', ...ids, '--memory', '2048', '--json']
        const {stdout} = await cc('cc-image-test', words, {timeoutMs: hour})
        const {checks} = JSON.parse(stdout) as {checks: {id: string; status: string; detail: string}[]}
        return Object.fromEntries(checks.map(({id, status, detail}) => [id, `${status}: ${detail}`]))
      }
      const server =
        /^passed: ports 1 to 65535: (tcp \S+: open: 8002, 8003; |udp \S+: no port answers; )+allowed: tcp\/8002, tcp\/8003$/
      expect(await scan('server1')).toEqual({
        'scan-ipv4': expect.stringMatching(server) as string,
        'scan-ipv6': expect.stringMatching(server) as string,
        'network-silent': expect.stringMatching(/^passed: /) as string,
      })
      const client = /^passed: ports 1 to 65535: ((tcp|udp) \S+: no port answers; )+allowed: none$/
      expect(await scan('site-1')).toEqual({
        'scan-ipv4': expect.stringMatching(client) as string,
        'scan-ipv6': expect.stringMatching(client) as string,
        'network-silent': expect.stringMatching(/^passed: /) as string,
      })
    },
    hour,
  )
})
