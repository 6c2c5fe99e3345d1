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
import {forbiddenPorts, outboundPorts} from './ports.js'
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

it('tries ports of rules for other networks as forbidden ones, and those of our own as allowed ones', () => {
  const outbound = [
    {port: 8002},
    {port: 443, cidr: '10.0.0.0/8'},
    {port: 8003, cidr: '192.0.2.0/24'},
    {port: 80, cidr: '169.254.169.254/32'},
    {port: 123, protocol: 'udp', cidr: '192.0.2.0/24'},
    {port: 8002, protocol: 'udp', cidr: '192.0.2.0/24'},
  ]
  const subject = {image: {manifest: {config: {hardening: {network: {outbound}}}}}} as unknown as Bench['subject']
  const usual = [22, 443, 8002]
  expect(outboundPorts(subject, '10.77.0.2')).toEqual([8002, 443])
  expect(forbiddenPorts(subject, '10.77.0.2', usual)).toEqual([22, 8003, 80])
  expect(forbiddenPorts(subject, '10.77.0.2', usual, ['tcp', 'udp'])).toEqual([22, 8003, 80, 123, 8002])
  expect(forbiddenPorts(subject, '2001:db8:77::2', usual)).toEqual([22, 443, 8003, 80])
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
  const host4 = frames.ipv4('10.77.0.2')

  it.each([
    ['IPv4', guest4],
    ['IPv6', guest6],
  ])(
    'finds each port that answers on %s, and no other',
    async (_, address) => {
      const guest = new FakeGuest([1, 8002, 65_535], [22, 128])
      const host = new HostileHost(guest, {hostile: false})
      const found = await host.scan(address, 'tcp', signal)
      expect(host.attempts).toEqual([])
      const from = frames.showAddress(address.length === 4 ? host4 : frames.ipv6('fe80::5054:ff:fe77:2'))
      expect(found).toEqual({from, asked: 65_535, open: [1, 8002, 65_535], refused: [22, 128], lost: 0})
      expect(guest.heard).toBeGreaterThanOrEqual(2 * 65_535 - 5)
    },
    60_000,
  )

  it('does not take the late answer of an open port of TCP for one of UDP, or of another address', async () => {
    const guest = new FakeGuest([8002], [])
    const host = new HostileHost(guest, {hostile: false})
    const late = setInterval(() => {
      const answer = {sourcePort: 8002, destinationPort: 40_000, sequence: 1, acknowledgement: 1001, flags: 18}
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

  const {arp, ipv4, ipv6} = frames.etherTypes
  const ether = (type: number, packet: Buffer) => frames.ethernet(Buffer.alloc(6, 2), guestMac, type, packet)
  const stranger = frames.ipv4('1.2.3.4')
  const stranger6 = frames.ipv6('2001:db8::9')
  const ip4 = (protocol: number, payload: Buffer) => ether(ipv4, frames.ip(guest4, stranger, protocol, payload))
  const ip6 = (to: frames.Address, next: number, payload: Buffer) => ether(ipv6, frames.ip(guest6, to, next, payload))
  const segment = (flags: number, to = host4, destinationPort = 40_000) =>
    ether(ipv4, frames.tcp(guest4, to, {sourcePort: 9, destinationPort, sequence: 1, acknowledgement: 1001, flags}))
  /** A UDP datagram without its header of IP, behind a header that has nothing to say. */
  const behind = (header: number[], to = stranger6) =>
    Buffer.concat([Buffer.from(header), frames.udp(guest6, to, {from: 9, to: 4444}, Buffer.from('x')).subarray(40)])
  const nothing = [1, 4, 0, 0, 0, 0]
  const fragment = ip4(17, Buffer.alloc(16))
  fragment.writeUInt16BE(100, 14 + 6)
  const {syn, ack, rst, fin} = frames.tcpFlags
  const icmp6 = (to: frames.Address, type: number, body = Buffer.alloc(20)) =>
    ether(ipv6, frames.icmpv6(guest6, to, type, body))
  const unreachable = ip4(1, Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), Buffer.alloc(28, 0x45)]))

  it.each([
    ['SCTP', ip4(132, Buffer.alloc(32)), 'ip-132 1.2.3.4 0'],
    ['GRE', ip4(47, Buffer.alloc(8)), 'ip-47 1.2.3.4 0'],
    ['IGMP', ip4(2, Buffer.alloc(8)), 'ip-2 1.2.3.4 0'],
    ['TCP that is cut off', ip4(6, Buffer.alloc(4)), 'ip-6 1.2.3.4 0'],
    ['a later fragment', fragment, 'ip-17 1.2.3.4 0'],
    ['a ping', ip4(1, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0])), 'echo 1.2.3.4 0'],
    ['the answer to a ping that nobody sent', ip4(1, Buffer.alloc(8)), 'icmp-0 1.2.3.4 0'],
    ['the same on IPv6', icmp6(stranger6, 129), 'icmpv6-129 2001:db8:0:0:0:0:0:9 0'],
    ['word of a port that nobody asked', unreachable, 'icmp-3 1.2.3.4 0'],
    ['a router advertisement', icmp6(frames.ipv6('ff02::1'), 134), 'icmpv6-134 ff02:0:0:0:0:0:0:1 0'],
    ['a multicast report to a host', icmp6(stranger6, 143), 'icmpv6-143 2001:db8:0:0:0:0:0:9 0'],
    ['an acknowledgement of no connection', segment(ack, stranger, 443), 'tcp 1.2.3.4 443'],
    ['the end of no connection', segment(fin | ack, stranger, 443), 'tcp 1.2.3.4 443'],
    ['a connection to the port that scans come from', segment(syn), 'tcp 10.77.0.2 40000'],
    ['an answer to a scan that was not made', segment(syn | ack), 'tcp 10.77.0.2 40000'],
    ['a refusal of it', segment(rst | ack), 'tcp 10.77.0.2 40000'],
    [
      'a datagram to the port that scans come from',
      ether(ipv4, frames.udp(guest4, host4, {from: 9, to: 40_002}, Buffer.from('x'))),
      'udp 10.77.0.2 40002',
    ],
    [
      'a datagram behind destination options',
      ip6(stranger6, 60, behind([17, 0, ...nothing])),
      'udp 2001:db8:0:0:0:0:0:9 4444',
    ],
    [
      'a datagram behind a routing header',
      ip6(stranger6, 43, behind([17, 0, ...nothing])),
      'ip-43 2001:db8:0:0:0:0:0:9 0',
    ],
    ['an ethertype of its own', ether(0x88b5, Buffer.alloc(46)), 'ether-0x88b5 02:02:02:02:02:02 0'],
    ['VLAN', ether(0x8100, Buffer.alloc(46)), 'ether-0x8100 02:02:02:02:02:02 0'],
    ['ARP that is cut off', ether(arp, Buffer.alloc(4)), 'ether-0x0806 02:02:02:02:02:02 0'],
    ['IPv4 that is cut off', ether(ipv4, Buffer.alloc(4)), 'ether-0x0800 02:02:02:02:02:02 0'],
    ['not even a whole header', Buffer.alloc(9), 'ether-cut  0'],
  ])('writes down %s', (_, raw, noted) => {
    const guest = new FakeGuest([], [])
    const host = new HostileHost(guest, {hostile: false})
    guest.say(raw)
    expect(host.attempts.map(({protocol, address, port}) => `${protocol} ${address} ${port}`)).toEqual([noted])
  })

  it('writes down nothing of what a kernel has to say', () => {
    const guest = new FakeGuest([], [])
    const host = new HostileHost(guest, {hostile: false})
    const question = {senderMac: guestMac, senderIp: guest4, targetMac: Buffer.alloc(6), targetIp: host4}
    guest.say(ether(arp, frames.arp({operation: 1, ...question})))
    guest.say(icmp6(frames.ipv6('ff02::2'), 133))
    guest.say(icmp6(frames.ipv6('ff02::1:ff77:2'), 135))
    guest.say(icmp6(frames.ipv6('ff02::1'), 136))
    // A report of MLD comes behind a router alert.
    const report = frames.icmpv6(guest6, frames.ipv6('ff02::16'), 143, Buffer.alloc(24)).subarray(40)
    guest.say(ip6(frames.ipv6('ff02::16'), 0, Buffer.concat([Buffer.from([58, 0, 5, 2, 0, 0, 1, 0]), report])))
    expect(host.attempts).toEqual([])
  })

  it('takes an answer for one only from where it asked, and where the answer belongs', async () => {
    const guest = new FakeGuest([], [])
    const host = new HostileHost(guest, {hostile: false})
    await host.awaitOpen(guest4, 9, 1000, signal)
    const ping = icmp6(frames.ipv6('fe80::5054:ff:fe77:2'), 129, Buffer.from([0, 1, 0, 1]))
    guest.say(ping)
    host.advertise()
    for (const raw of [segment(syn | ack), segment(rst | ack), ping]) guest.say(raw)
    expect(host.attempts.map(({protocol}) => protocol)).toEqual(['icmpv6-129'])
    // Of another connection, to another port or another address than it was asked from, or without what was asked.
    for (const raw of [segment(ack), segment(fin | ack), segment(syn), segment(syn | ack, host4, 40_001)])
      guest.say(raw)
    guest.say(segment(syn | ack, stranger))
    expect(host.attempts.slice(1).map(({protocol, port}) => `${protocol} ${port}`)).toEqual([
      ...['tcp 40000', 'tcp 40000', 'tcp 40000', 'tcp 40001', 'tcp 40000'],
    ])
  })

  it('takes word that a port is closed for an answer to a scan, by ICMP too', async () => {
    const guest = new FakeGuest([], [])
    const host = new HostileHost(guest, {hostile: false})
    const answered = guest.send.bind(guest)
    guest.send = (raw) => {
      answered(raw)
      const frame = frames.parseFrame(raw)
      if (frame?.source === undefined || (frame.udp ?? frame.tcp)?.destinationPort !== 23) return
      const told = Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), raw.subarray(14, 14 + 28)])
      guest.say(ether(ipv4, frames.ip(guest4, host4, 1, told)))
    }
    expect(await host.scan(guest4, 'tcp', signal)).toMatchObject({open: [], refused: [23]})
    expect(await host.scan(guest4, 'udp', signal)).toMatchObject({open: [], refused: [23]})
    expect(host.attempts).toEqual([])
  }, 60_000)

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
