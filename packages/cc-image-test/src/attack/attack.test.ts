import {createHash, randomBytes} from 'node:crypto'
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {run} from 'cc-core/exec'
import type {BootResult} from 'cc-core/vm'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {factsOf} from '../judges/facts.js'
import {differenceOf, stateOf} from '../judges/guest-state.js'
import {judgeBoot, type Bench} from './bench.js'
import {archive, file, folder} from './cpio.js'
import {fill, readBytes} from './disk-edit.js'
import {crc32, editTable} from './gpt.js'
import {otherHeader, withNullCipher, withRequirement} from './luks-edit.js'
import {layeredDisk} from './machine.js'
import {allManipulations} from './manipulations/index.js'
import {sharingOneBoot, tampered, type Tampering} from './manipulations/tampered.js'
import {dhcpAnswer, dhcpQuestion} from './wire/dhcp.js'
import * as frames from './wire/frames.js'
import {HostileHost} from './wire/host.js'
import type {Wire} from './wire/wire.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-attack-'))
})
afterEach(() => {
  rmSync(dir, {recursive: true, force: true})
})

describe('a disk', () => {
  const mebibyte = 1024 ** 2
  const bytes = 8 * mebibyte

  async function gptDisk(): Promise<string> {
    const raw = join(dir, 'raw')
    writeFileSync(raw, '')
    await run(['truncate', '-s', String(bytes), raw])
    const script = 'label: gpt\nstart=2048, size=2048, name="cc-a"\nstart=4096, size=4096, name="cc-b"\n'
    await run(['sfdisk', '--quiet', raw], {input: script})
    const base = join(dir, 'base.qcow2')
    await run(['qemu-img', 'convert', '-O', 'qcow2', raw, base])
    return base
  }

  it('is written to in a layer, and the image stays as it was', async () => {
    const base = await gptDisk()
    const before = createHash('sha256').update(readFileSync(base)).digest('hex')
    const layer = await layeredDisk(base, join(dir, 'layer'))
    await fill(layer, 2 * mebibyte + 3, 16, 0xa5)
    const sector = await readBytes(layer, 2 * mebibyte, 512, join(dir, 'read'))
    expect(sector.subarray(2, 20).toString('hex')).toBe(`00${'a5'.repeat(16)}00`)
    expect(createHash('sha256').update(readFileSync(base)).digest('hex')).toBe(before)
  })

  it('gets a table that sfdisk finds sound, also with a name that stands twice', async () => {
    const disk = await layeredDisk(await gptDisk(), join(dir, 'layer'))
    await editTable({disk, folder: dir}, bytes, (entries) =>
      entries.map((entry) => ({...entry, name: 'cc-b', guid: randomBytes(16)})),
    )
    const raw = join(dir, 'after')
    await run(['qemu-img', 'convert', '-O', 'raw', disk, raw])
    const {stdout} = await run(['sfdisk', '--verify', raw], {collect: true})
    expect(stdout).toContain('No errors detected')
    const table = JSON.parse((await run(['sfdisk', '--json', raw], {collect: true})).stdout) as {
      partitiontable: {partitions: {name: string; start: number}[]}
    }
    expect(table.partitiontable.partitions.map(({name, start}) => [name, start])).toEqual([
      ['cc-b', 2048],
      ['cc-b', 4096],
    ])
  })

  it('has the checksum of IEEE 802.3', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926)
  })
})

it('writes an archive that cpio(1) reads', async () => {
  const path = join(dir, 'archive')
  writeFileSync(path, archive([folder('cc'), file('cc/boot.conf', 'version=1\n'), file('init', '#!/bin/sh', 0o100755)]))
  mkdirSync(join(dir, 'out'))
  await run(['cpio', '--quiet', '--extract', '--file', path], {cwd: join(dir, 'out')})
  expect(readFileSync(join(dir, 'out/cc/boot.conf'), 'utf8')).toBe('version=1\n')
  const {stdout} = await run(['stat', '-c', '%a', join(dir, 'out/init'), join(dir, 'out/cc')])
  expect(stdout).toBe('755\n755')
})

describe('a LUKS header', () => {
  it('is changed so that cryptsetup takes it for sound, and the key still opens it', async () => {
    const key = join(dir, 'key')
    writeFileSync(key, randomBytes(32), {mode: 0o600})
    const header = join(dir, 'header')
    writeFileSync(header, withNullCipher(await otherHeader(dir, key)))
    const dump = await run(['cryptsetup', 'luksDump', '--disable-locks', header], {collect: true})
    expect(dump.stdout).toMatch(/cipher: cipher_null-ecb/)
    const opens = ['cryptsetup', 'open', '--test-passphrase', '--disable-locks', '--key-file', key, header]
    expect((await run(opens, {check: false})).exitCode).toBe(0)
    writeFileSync(header, withRequirement(await otherHeader(dir, key)))
    expect((await run(opens, {check: false})).exitCode).not.toBe(0)
  })
})

describe('the state of a guest', () => {
  const line = (change = {}) =>
    `CC-BOOT ${JSON.stringify({version: 1, seconds: 3, tmpfs: ['/b', '/a', '/run/credentials/x'], swap: false, ...change})}`

  it('leaves out what differs from boot to boot, and nothing else', () => {
    const state = stateOf(['noise', line()])
    expect(differenceOf(stateOf([line({seconds: 9, tmpfs: ['/a', '/b']})]), state)).toBeNull()
    expect(differenceOf(stateOf([line({swap: true})]), state)).toBe('CC-BOOT swap is true, not false')
    expect(differenceOf(stateOf([]), state)).toContain('CC-BOOT version is missing, not 1')
    expect(differenceOf(stateOf(['CC-BOOT {"cut', line()]), state)).toContain('CC-BOOT text is')
  })

  const boot = (lines: string[], more: Partial<BootResult> = {}): BootResult => ({
    ...{lines, matched: null, exit: 'powered-off', ms: 1},
    ...more,
  })
  const bench = {
    ...{baseline: () => Promise.resolve(stateOf([line()])), subject: {image: {manifest: {stage: 'base'}}}},
  } as unknown as Bench
  const up = (lines: string[]) => boot(lines, {matched: lines.at(-1) ?? '', exit: 'running'})

  it.each([
    ['detected', boot(['[  1.2] device-mapper: verity: corrupted']), {detected: /verity/}, 'detected'],
    ['detected by a panic', boot(['verity'], {exit: 'panicked'}), {detected: /verity/}, 'detected'],
    ['powerless', up([line({seconds: 7})]), {powerless: true as const}, 'powerless'],
    ['up, although it must not be', up([line()]), {detected: /x/}, 'NOT DEFENDED'],
    ['up in another state', up([line({swap: true})]), {powerless: true as const}, 'NOT DEFENDED'],
    ['off for another reason', boot(['cc: FAILED: other']), {detected: /verity/}, 'NOT DEFENDED'],
    ['off, although it is to be powerless', boot(['cc: FAILED: x']), {powerless: true as const}, 'NOT DEFENDED'],
    ['hanging', boot(['verity'], {exit: 'timed-out'}), {detected: /verity/}, 'NOT DEFENDED'],
    ['off, with a shell before', boot(['(initramfs) ', 'verity']), {detected: /verity/}, 'NOT DEFENDED'],
    ['up, with a program of the host', up(['CC-OWNED', line()]), {powerless: true as const}, 'NOT DEFENDED'],
  ])('is judged: %s', async (_, result, expected, outcome) => {
    const verdict = await judgeBoot(bench, result, {because: 'it is so', ...expected})
    expect(verdict.outcome, verdict.detail).toBe(outcome)
    expect(verdict.status).toBe(outcome === 'NOT DEFENDED' ? 'failed' : 'passed')
  })
})

describe('manipulations that share one boot', () => {
  const line = (change = {}) => `CC-BOOT ${JSON.stringify({version: 1, seconds: 3, swap: false, ...change})}`
  const part = (id: string): Tampering => ({
    ...{id, title: id, action: `does ${id}`, group: 'devices', because: `${id} is nothing`, powerless: true},
    together: true,
    prepare: (machine) => void machine.devices.push(id),
  })

  /** @param harmful what makes a machine with these devices come up in another state */
  async function judge(harmful: (devices: readonly string[]) => boolean) {
    const booted: string[][] = []
    const bench = {
      baseline: () => Promise.resolve(stateOf([line()])),
      machine: (id: string) => Promise.resolve({folder: dir, id, devices: [], disks: []}),
      boot: ({devices}: {devices: string[]}) => {
        booted.push(devices)
        const lines = [line({swap: harmful(devices)})]
        return Promise.resolve({lines, matched: lines[0], exit: 'running', ms: 1})
      },
      subject: {image: {manifest: {stage: 'base'}}},
    } as unknown as Bench
    const own: Tampering = {...part('c')}
    delete own.together
    const verdicts = []
    for (const one of sharingOneBoot(tampered([part('a'), part('b'), own])))
      verdicts.push((await one.run(bench, () => undefined)).outcome)
    return {booted, verdicts}
  }

  it('are one boot where none of them does anything; what may not share has its own', async () => {
    expect(await judge(() => false)).toEqual({
      booted: [['a', 'b'], ['c']],
      verdicts: ['powerless', 'powerless', 'powerless'],
    })
  })

  it('are told apart where one of them does something', async () => {
    expect(await judge((devices) => devices.includes('b'))).toEqual({
      booted: [['a', 'b'], ['a'], ['b'], ['c']],
      verdicts: ['powerless', 'NOT DEFENDED', 'powerless'],
    })
  })

  it('fail all where only all of them together do something', async () => {
    expect((await judge((devices) => devices.length > 1)).verdicts).toEqual([
      ...['NOT DEFENDED', 'NOT DEFENDED', 'powerless'],
    ])
  })
})

describe('the list of manipulations', () => {
  const all = allManipulations({subject: {image: {manifest: {config: {}}}}} as Bench)

  it('has ids of its own, a title, what the host does, and a selection of every kind', () => {
    expect(new Set(all.map(({id}) => id)).size).toBe(all.length)
    expect(all.length).toBeGreaterThan(80)
    for (const {id, title, action} of all) {
      expect(id).toMatch(/^[a-z0-9-]+$/)
      expect(title.length, id).toBeGreaterThan(5)
      expect(action.length, id).toBeGreaterThan(5)
    }
    const kinds = new Set(all.map(({group}) => group))
    const quick = all.filter((one) => one.quick === true)
    expect(new Set(quick.map(({group}) => group))).toEqual(kinds)
    expect(quick.length).toBeLessThan(all.length / 3)
  })

  it('begins with what others wait for, whatever is chosen', () => {
    const first = (chosen: typeof all) => chosen.filter(({rank}) => rank === -2).map(({id}) => id)
    const bench = {subject: {image: {manifest: {config: {}}}}} as Bench
    expect(first(all)).toEqual(['hostile-network', 'inside-duties', 'job-identity'])
    const quick = allManipulations(bench, (one) => one.quick === true)
    expect(quick.map(({id}) => id)).toEqual(all.filter((one) => one.quick === true).map(({id}) => id))
    expect(first(quick)).toEqual(['scan-ipv4', 'inside-accounts', 'job-secrets'])
    expect(first(allManipulations(bench, ({id}) => id === 'canary'))).toEqual(['canary'])
  })
})

it('reads what the probe says, and nothing of what others say', () => {
  const facts = factsOf([
    'CC-PROBE setuid 0=',
    'xCC-PROBE swap 2=no',
    'CC-PROBE sysctl.kernel.sysrq 1=0',
    'CC-PROBE a 6=b=c d ',
  ])
  expect(facts).toEqual({setuid: '', 'sysctl.kernel.sysrq': '0', a: 'b=c d'})
})

it('takes nothing of what is cut, mixed with the words of another, or said in two ways', () => {
  const facts = factsOf([
    'CC-PROBE cut 40=/usr/bin/mount /usr/b',
    'CC-PROBE mixed 3=abc[  12.3] virtio_net',
    'CC-PROBE twice 1=0',
    'CC-PROBE twice 1=1',
    'CC-PROBE again 1=1',
    'CC-PROBE again 1=1',
    'CC-PROBE old=1',
  ])
  expect(facts).toEqual({cut: undefined, mixed: undefined, twice: undefined, again: '1'})
})

describe('the wire', () => {
  const guestMac = frames.mac('52:54:00:77:00:0f')
  const guest4 = frames.ipv4('10.77.0.15')
  const guest6 = frames.ipv6('fe80::5054:ff:fe77:f')

  /** A guest that answers at some ports, and can be deaf. */
  class FakeGuest implements Wire {
    #listener: (frame: Buffer) => void = () => undefined
    heard = 0
    constructor(
      readonly open: number[],
      private readonly refuses: readonly number[] | 'all',
    ) {}
    words = () => []
    ends = {local: '', remote: ''}
    close = () => undefined
    onFrame(listener: (frame: Buffer) => void): void {
      this.#listener = listener
    }
    say(frame: Buffer): void {
      this.#listener(frame)
    }
    send(raw: Buffer): void {
      const frame = frames.parseFrame(raw)
      if (frame?.arp?.operation === 1) {
        const {senderMac, senderIp, targetIp} = frame.arp
        const reply = {operation: 2, senderMac: guestMac, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp}
        setImmediate(() => {
          this.say(frames.ethernet(senderMac, guestMac, frames.etherTypes.arp, frames.arp(reply)))
        })
      }
      const {tcp: segment, source, destination} = frame ?? {}
      if (segment === undefined || source === undefined || destination === undefined) return
      this.heard++
      const port = segment.destinationPort
      const open = this.open.includes(port)
      if (!open && this.refuses !== 'all' && !this.refuses.includes(port)) return
      const {syn, ack, rst} = frames.tcpFlags
      const answer = {
        ...{sourcePort: port, destinationPort: segment.sourcePort, sequence: 1, acknowledgement: segment.sequence + 1},
        flags: open ? syn | ack : rst | ack,
      }
      const type = source.length === 4 ? frames.etherTypes.ipv4 : frames.etherTypes.ipv6
      this.say(frames.ethernet(Buffer.alloc(6), guestMac, type, frames.tcp(destination, source, answer)))
    }
  }
  const {signal} = new AbortController()

  it.each([
    ['IPv4', guest4],
    ['IPv6', guest6],
  ])(
    'finds each port that answers on %s, and no other',
    async (_, address) => {
      const guest = new FakeGuest([1, 8002, 65_535], [22, 128])
      const found = await new HostileHost(guest, {hostile: false}).scan(address, 'tcp', signal)
      expect(found).toEqual({asked: 65_535, open: [1, 8002, 65_535], refused: [22, 128], lost: 0})
      expect(guest.heard).toBeGreaterThanOrEqual(2 * 65_535 - 5)
    },
    60_000,
  )

  it('does not take the late answer of an open port of TCP for one of UDP, or of another address', async () => {
    const guest = new FakeGuest([8002], [])
    const host = new HostileHost(guest, {hostile: false})
    const late = setInterval(() => {
      const answer = {sourcePort: 8002, destinationPort: 40_000, sequence: 1, acknowledgement: 1001, flags: 18}
      const host4 = frames.ipv4('10.77.0.2')
      guest.say(frames.ethernet(Buffer.alloc(6), guestMac, frames.etherTypes.ipv4, frames.tcp(guest4, host4, answer)))
    }, 5)
    try {
      expect((await host.scan(guest4, 'tcp', signal)).open).toEqual([8002])
      expect(await host.scan(guest4, 'udp', signal)).toMatchObject({open: [], refused: []})
      guest.open.length = 0
      expect((await host.scan(guest6, 'tcp', signal)).open).toEqual([])
    } finally {
      clearInterval(late)
    }
  }, 120_000)

  it('finds all ports of a guest without a firewall', async () => {
    const found = await new HostileHost(new FakeGuest([], 'all'), {hostile: false}).scan(guest4, 'tcp', signal)
    expect(found.refused).toHaveLength(65_535)
  }, 60_000)

  it('waits for a program that starts late, and not for one that never does', async () => {
    const open: number[] = []
    const host = new HostileHost(new FakeGuest(open, 'all'), {hostile: false})
    setTimeout(() => open.push(8002), 1500)
    expect(await host.awaitOpen(guest4, 8002, 30_000, signal)).toBe(true)
    expect(await host.awaitOpen(guest4, 8003, 10, signal)).toBe(false)
  })

  it('answers connections, and writes down what was tried', async () => {
    const guest = new FakeGuest([], [])
    const host = new HostileHost(guest, {hostile: false})
    const sent: frames.Frame[] = []
    guest.send = (raw) => {
      const frame = frames.parseFrame(raw)
      if (frame !== null) sent.push(frame)
    }
    const segment = {sourcePort: 50_000, destinationPort: 443, sequence: 7, acknowledgement: 0, flags: 2}
    const packet = frames.tcp(guest4, frames.ipv4('1.2.3.4'), segment)
    guest.say(frames.ethernet(Buffer.alloc(6), guestMac, frames.etherTypes.ipv4, packet))
    await sleep(1)
    expect(host.attempts).toEqual([{protocol: 'tcp', address: '1.2.3.4', port: 443}])
    expect(sent[0]?.tcp).toMatchObject({flags: 18, acknowledgement: 8, sourcePort: 443, destinationPort: 50_000})
  })

  it('has checksums that a receiver accepts', () => {
    const packet = frames.ip(guest4, guest4, 17, Buffer.alloc(3))
    expect(frames.checksum(packet.subarray(0, 20))).toBe(0)
    expect(frames.showAddress(frames.ipv6('2001:db8::1'))).toBe('2001:db8:0:0:0:0:0:1')
  })

  it('gives an address by DHCP, with whatever a hostile server would add', () => {
    const question = Buffer.concat([Buffer.alloc(236), Buffer.from([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255])])
    question[0] = 1
    expect(dhcpQuestion(question)).toBe(1)
    expect(dhcpQuestion(question.subarray(0, 200))).toBeNull()
    const answer = dhcpAnswer(question, 1, {guest: guest4, server: frames.ipv4('10.77.0.2'), hostile: true})
    expect(answer[0]).toBe(2)
    expect(answer.subarray(16, 20)).toEqual(guest4)
    expect(answer.toString('latin1')).toContain('CC-OWNED')
  })
})
