import {describe, expect, it} from 'vitest'

import {parseConfig} from '../config/index.js'
import {kernelCommandLine} from '../cmdline/index.js'
import {bootConf, headerPlace} from './index.js'

const verity = {rootHash: 'a'.repeat(64), salt: 'b'.repeat(64), blocks: 17}

interface More {
  verity?: Record<string, typeof verity>
  config?: Record<string, unknown>
}

function lines(changes: Record<string, unknown> = {}, more: More = {}): string[] {
  const {layout, profile, kbs, teeDerived} = parseConfig({layout: {partitions: changes}, ...more.config})
  return bootConf({
    ...{profile, kbs, teeDerived, owner: {image: 'cc_image', site: null}},
    cmdline: 'console=ttyS0 panic=1',
    partitions: layout.partitions,
    verity: {'cc-ro': verity, ...more.verity},
    journals: {'cc-ro': 8388608},
    overlaySize: '50%',
  })
    .trimEnd()
    .split('\n')
}

describe('boot.conf', () => {
  it('opens the root first, wherever it stands in the layout', () => {
    expect(lines({'cc-aaa': {mount: '/a', size: '1M'}})).toContain('partitions=cc-root cc-app cc-ro cc-out cc-aaa')
  })

  it('holds what dm-verity needs, so that the disk is not asked', () => {
    expect(lines()).toEqual(
      expect.arrayContaining([
        'cc-ro.verity-root-hash=' + verity.rootHash,
        'cc-ro.verity-salt=' + verity.salt,
        'cc-ro.verity-blocks=17',
        'cc-ro.verify=boot',
        'cc-ro.options=ro,noload,nosuid,nodev',
      ]),
    )
  })

  it('bounds the memory over a read-only root, which is checked block by block and not read in full', () => {
    const root = lines({'cc-root': {integrity: 'verity'}}, {verity: {'cc-root': verity}}).filter((line) =>
      line.startsWith('cc-root.'),
    )
    expect(root).toEqual(
      expect.arrayContaining([
        'cc-root.options=ro,noload',
        'cc-root.integrity=verity',
        'cc-root.verity-blocks=17',
        'cc-root.overlay-size=50%',
      ]),
    )
    expect(root.filter((line) => line.includes('.verify='))).toEqual([])
    expect(lines().filter((line) => line.includes('overlay-size'))).toEqual([])
  })

  it('names a file system that is not ext4, and gives it no options of ext4', () => {
    const root = lines({'cc-root': {integrity: 'verity', filesystem: 'squashfs'}}, {verity: {'cc-root': verity}})
    expect(root).toEqual(expect.arrayContaining(['cc-root.filesystem=squashfs', 'cc-root.options=ro']))
    expect(lines().filter((line) => line.includes('.filesystem='))).toEqual([])
  })

  it('lets nobody follow a link of a file system that the host can write', () => {
    const plain = {encryption: 'none', key: null, keyFile: null}
    const onDemand = {encryption: 'on-demand', key: 'key-file', keyFile: '/etc/cc/out.key'}
    const options = (changes: Record<string, unknown>) =>
      lines({'cc-out': changes}).find((line) => line.startsWith('cc-out.options='))
    expect(options(plain)).toBe('cc-out.options=rw,nosuid,nodev,nosymfollow')
    expect(options({...onDemand, plainAllowed: true})).toBe('cc-out.options=rw,nosuid,nodev,nosymfollow')
    expect(options({...onDemand, plainAllowed: false})).toBe('cc-out.options=rw,nosuid,nodev')
    expect(lines()).toContain('cc-app.options=rw,nosuid,nodev')
  })

  it('names the command line that the kernel must have been started with', () => {
    expect(lines()).toContain('cmdline=console=ttyS0 panic=1')
  })

  it('says where each LUKS header is', () => {
    expect(lines().filter((line) => line.includes('.header='))).toEqual([
      'cc-root.header=initrd',
      'cc-app.header=memory',
      'cc-out.header=disk',
    ])
  })

  it('has no key of LUKS for a partition without it', () => {
    expect(lines().filter((line) => /^cc-ro\.(key|header|plain)/.test(line))).toEqual([])
  })

  it('adds the configured mount options to ours, never instead of them', () => {
    expect(lines({'cc-app': {mountOptions: ['noexec']}})).toContain('cc-app.options=rw,nosuid,nodev,noexec')
  })

  it('says where the key broker is, and which resource holds which key', () => {
    const kbs = {url: 'https://kbs.example:8443/x', timeoutSeconds: 7, attempts: 2}
    const found = lines({'cc-app': {key: 'kbs'}, 'cc-root': {key: 'kbs'}}, {config: {kbs}})
    expect(found.filter((line) => /kbs|network/.test(line))).toEqual([
      'kbs.url=https://kbs.example:8443/x',
      'kbs.timeout=7',
      'kbs.attempts=2',
      'network.mode=dhcp',
      'network.timeout=30',
      'cc-root.key=kbs',
      'cc-root.kbs-resource=default/cc_image/cc-root',
      'cc-app.key=kbs',
      'cc-app.kbs-resource=default/cc_image/cc-app',
    ])
  })

  it('has the fixed address of the initrd as ipconfig takes it', () => {
    const network = {
      interface: 'enp1s0',
      address: '192.0.2.9/20',
      gateway: '192.0.2.1',
      dns: ['192.0.2.2', '192.0.2.3'],
    }
    const found = lines({'cc-app': {key: 'kbs'}}, {config: {kbs: {url: 'https://k', network}}})
    expect(found.filter((line) => line.startsWith('network.'))).toEqual([
      'network.mode=static',
      'network.timeout=30',
      'network.interface=enp1s0',
      'network.address=192.0.2.9',
      'network.netmask=255.255.240.0',
      'network.gateway=192.0.2.1',
      'network.dns=192.0.2.2 192.0.2.3',
    ])
  })

  it('says whose time the guest takes before it asks, where that is configured', () => {
    const clock = {servers: ['time.example.org', '192.0.2.1:14460'], agreeing: 2, timeoutSeconds: 9}
    const found = lines({'cc-app': {key: 'kbs'}}, {config: {kbs: {url: 'https://k', clock}}})
    expect(found.filter((line) => line.startsWith('clock.'))).toEqual([
      'clock.servers=time.example.org 192.0.2.1:14460',
      'clock.agreeing=2',
      'clock.timeout=9',
    ])
  })

  it('has the fields of a derived key as the bits of the SNP ABI', () => {
    const app = {'cc-app': {key: 'tee-derived'}}
    expect(lines(app)).toContain('tee-derived.fields=1001')
    const fields = ['measurement', 'tcb-version']
    const tcbVersion = '0xd315000000000004'
    const found = lines(app, {config: {teeDerived: {fields, vmpl: 2, rootKey: 'vmrk', tcbVersion}}})
    expect(found).toEqual(
      expect.arrayContaining(['tee-derived.fields=101000', 'tee-derived.vmpl=2', 'tee-derived.root-key=vmrk']),
    )
    expect(found).toContain(`tee-derived.tcb-version=${tcbVersion}`)
    expect(found.filter((line) => line.startsWith('tee-derived.svn'))).toEqual([])
    const svn = {fields: ['measurement', 'svn'], svn: 3}
    expect(lines(app, {config: {teeDerived: svn}})).toContain('tee-derived.svn=3')
  })

  it('says nothing of key sources that no partition has', () => {
    expect(lines({}, {config: {kbs: {url: 'https://k'}}}).filter((line) => /^(kbs|network|tee)/.test(line))).toEqual([])
  })

  it('makes altered metadata of an authenticated partition the end of the machine', () => {
    expect(lines({'cc-app': {integrity: 'hmac'}})).toContain('cc-app.options=rw,errors=panic,nosuid,nodev')
  })

  it('repeats no key', () => {
    const keys = lines().map((line) => line.split('=')[0])
    expect(new Set(keys).size).toBe(keys.length)
  })
})

describe('the header of a partition', () => {
  const partition = (name: string, changes: object = {}) => {
    const found = parseConfig({layout: {partitions: {[name]: changes}}}).layout.partitions[name]
    if (found === undefined) throw new Error(name)
    return found
  }

  it('comes with the initrd when the partition is filled at build time, whatever its key', () => {
    expect(headerPlace('cc-root', partition('cc-root'))).toBe('initrd')
    const filled = {mount: '/x', from: '/x', encryption: 'luks2', key: 'development'}
    expect(headerPlace('cc-x', partition('cc-x', filled))).toBe('initrd')
  })

  it('does not exist for what the guest encrypts in place', () => {
    const derived = {encryption: 'luks2', key: 'tee-derived'}
    expect(headerPlace('cc-ro', partition('cc-ro', derived))).toBe('none')
    expect(headerPlace('cc-root', partition('cc-root', {key: 'tee-derived', integrity: 'verity'}))).toBe('none')
    expect(headerPlace('cc-app', partition('cc-app', derived))).toBe('disk')
  })

  it('is on the disk only for what the guest opens again', () => {
    expect(headerPlace('cc-app', partition('cc-app'))).toBe('memory')
    expect(headerPlace('cc-out', partition('cc-out'))).toBe('disk')
  })
})

describe('the kernel command line', () => {
  it('lets no failure end in a shell, and takes nothing from the host', () => {
    const words = kernelCommandLine({console: 'ttyS0'}).split(' ')
    for (const word of [
      'panic=1',
      'systemd.gpt_auto=0',
      'systemd.swap=0',
      'systemd.import_credentials=no',
      'efi=noruntime',
    ]) {
      expect(words).toContain(word)
    }
  })

  it('locks the kernel of a hardened image, and in production takes nothing from fw_cfg', () => {
    const words = (production: boolean, lockdown: 'none' | 'integrity' = 'integrity') =>
      kernelCommandLine({console: 'ttyS0', hardened: {lockdown, production}}).split(' ')
    for (const word of ['lockdown=integrity', 'module.sig_enforce=1', 'sysctl.kernel.sysrq=0'])
      expect(words(false)).toContain(word)
    expect(words(true)).toContain('module_blacklist=qemu_fw_cfg')
    expect(words(false)).not.toContain('module_blacklist=qemu_fw_cfg')
    expect(words(true, 'none').filter((word) => /lockdown|sig_enforce/.test(word))).toEqual([])
    expect(kernelCommandLine({console: 'ttyS0'})).not.toContain('lockdown')
  })

  it('ends with the configured words', () => {
    expect(kernelCommandLine({console: 'hvc0', extra: ['a=b', 'c']})).toMatch(/^console=hvc0 .* a=b c$/)
  })
})
