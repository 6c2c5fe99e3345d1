import {describe, expect, it} from 'vitest'

import {ownParameters} from '../cmdline/index.js'
import {loadConfig} from './load.js'
import {checkSecurity, securityProblems, securityWarnings} from './security.js'

const kbs = 'layout.partitions.cc-root.key=kbs'
const derived = 'layout.partitions.cc-root={key: tee-derived, integrity: verity}'
const production = (...sets: string[]) => loadConfig(null, ['profile=production', kbs, ...sets])

describe('a production image', () => {
  it('is accepted as it is by default, with each key source', () => {
    expect(securityProblems(production())).toEqual([])
    expect(securityProblems(production(derived))).toEqual([])
  })

  it.each([
    [['launch.policy="0xb0000"'], "launch.policy: '0xb0000' lets the host debug the guest"],
    [['launch.policy="0x70000"'], "launch.policy: '0x70000' lets a migration agent export the guest"],
    [[derived, 'teeDerived.fields=[measurement]'], "teeDerived.fields: without 'policy'"],
    [
      [derived, 'teeDerived.rootKey=vmrk', 'launch.policy="0x70000"'],
      "teeDerived.rootKey: 'vmrk' is a key that the host",
    ],
    [['layout.partitions.cc-root={encryption: none, key: null}'], 'layout.partitions.cc-root: without encryption'],
    [
      ['layout.partitions.cc-out.keyFile=/mnt/cc/ro/out.key'],
      "layout.partitions.cc-out.keyFile: '/mnt/cc/ro/out.key' lies on cc-ro, which is not encrypted",
    ],
  ])('refuses %j, which a development image may have', (sets, reason) => {
    const config = production(...sets)
    expect(securityProblems(config).join('; ')).toContain(reason)
    expect(() => {
      checkSecurity(config)
    }).toThrow(reason)
    expect(securityProblems({...config, profile: 'development'})).toEqual([])
  })

  it.each([
    ...['init=/bin/sh', 'rdinit=/bin/sh', 'single', 'S', '3', 'emergency', '-b', 'break=premount', 'rd.break'],
    ...['systemd.unit=rescue.target', 'systemd.debug_shell', 'systemd.debug-shell=1', 'systemd.setenv=A=b'],
    ...['systemd.import_credentials=yes', 'systemd.import-credentials=yes', 'systemd.ssh_auto=yes', 'rd.systemd.x=1'],
    ...['root=/dev/vdb', 'boot=local', 'ip=dhcp', 'initrd=x', 'mount.usr=x', 'efivar_ssdt=x', 'efi=debug'],
    ...[
      'lockdown=none',
      'module.sig_enforce=0',
      'modprobe.blacklist=dm_verity',
      'apparmor=0',
      'lsm=',
      'ima_appraise=off',
    ],
    ...['nokaslr', 'debugfs=on', 'kgdboc=ttyS0', 'kgdbwait', 'iomem=relaxed', 'ftrace=function', 'trace_event=x'],
    ...['mitigations=off', 'nospectre_v2', 'spec_store_bypass_disable=off', 'nopti', 'pti=off', 'retbleed=off'],
    ...['mem_encrypt=off', 'random.trust_bootloader=on', 'init_on_alloc=0', 'vsyscall=emulate', 'slub_debug=FZ'],
    ...['sysrq_always_enabled', 'sysctl.kernel.sysrq=1', 'panic=0', 'oops=', 'crashkernel=256M', 'cgroup_disable=pids'],
    ...['console=ttyS1', 'earlyprintk=serial', 'netconsole=@/,@/', 'ignore_loglevel', 'debug', 'loglevel=7', 'quiet'],
    ...['acpi_rsdp=0x1', 'memmap=1G', 'mem=1G', 'CC_ROOT=/x', 'LD_PRELOAD=/x', '--', 'x="a'],
  ])('refuses %s on the command line', (word) => {
    const config = production()
    expect(securityProblems({...config, boot: {...config.boot, cmdline: [word]}})).toEqual([
      expect.stringContaining(`boot.cmdline: '${word}' `),
    ])
  })

  it('refuses whatever we set ourselves, since the last word counts', () => {
    const config = production()
    expect(ownParameters().length).toBeGreaterThan(15)
    for (const name of ownParameters()) {
      const cmdline = [`${name}=x`]
      expect(securityProblems({...config, boot: {...config.boot, cmdline}}), name).toHaveLength(1)
    }
  })

  it.each([
    'swiotlb=65536',
    'net.ifnames=0',
    'pci=noats',
    'iommu.passthrough=0',
    'hugepages=8',
    'nvidia.NVreg_X=1',
    'tsc=reliable',
  ])('takes %s', (word) => {
    expect(securityProblems(production(`boot.cmdline=["${word}"]`))).toEqual([])
  })

  it('warns of what it may have and its builder should have meant', () => {
    const sets = ['hardening={role: client, lockdown: none, setuid: [/usr/bin/mount], logs: console}']
    const text = securityWarnings(production(...sets, 'layout.partitions.cc-out.plainAllowed=true')).join('\n')
    for (const part of ['launch.ovmf', 'lockdown', 'setuid keeps', 'hardening.logs', 'plainAllowed'])
      expect(text).toContain(part)
    expect(securityWarnings(loadConfig(null, sets))).toEqual([])
  })

  it('is built with a warning where old firmware gets its keys', () => {
    const tcb = (snp: number) => `kbs.policy.minimumTcb={bootloader: 4, tee: 0, snp: ${snp}, microcode: 72}`
    expect(securityWarnings(production(tcb(0))).join()).toContain('set kbs.policy.minimumTcb.snp')
    expect(securityWarnings(production(tcb(23))).join()).not.toContain('minimumTcb')
    expect(securityWarnings(production(derived)).join()).not.toContain('minimumTcb')
  })

  it('names what a broker demands in the form that it has', () => {
    const refused = (set: string) => {
      try {
        return production(set).profile
      } catch (error) {
        return String(error)
      }
    }
    expect(refused('kbs.policy.minimumTcb.snp=256')).toContain('kbs.policy.minimumTcb.snp')
    expect(refused('kbs.policy.hostData=[abc]')).toContain('expected 64 lower-case hexadecimal digits')
    expect(refused('kbs.policy.hostData=[]')).toContain('kbs.policy.hostData')
    expect(refused(`kbs.policy.chipIds=[${'A'.repeat(128)}]`)).toContain('expected 128 lower-case hexadecimal digits')
  })
})

it('refuses a key of a migration agent where there is none, in every profile', () => {
  const config = loadConfig(null, [derived, 'teeDerived.rootKey=vmrk'])
  expect(securityProblems(config)).toEqual([expect.stringContaining("launch.policy '0x30000' allows none")])
  expect(securityProblems(loadConfig(null, ['teeDerived.rootKey=vmrk']))).toEqual([])
})

it('the SVN of a derived key is at most that of the ID block, which needs a measurement to be about', () => {
  const fields = ['teeDerived.fields=[policy, measurement, svn]', 'teeDerived.svn=3']
  const block = (svn: number, ovmf: string) => [
    `launch.ovmf=${ovmf}`,
    `launch.idBlock={idKey: /k, authorKey: /a, svn: ${svn}}`,
  ]
  const problems = (...sets: string[]) => securityProblems(loadConfig(null, sets)).join('; ')
  expect(problems(derived, ...fields)).toBe(
    'teeDerived.svn: the firmware derives no key for 3: launch.idBlock.svn is 0 without an ID block',
  )
  expect(problems(derived, ...fields, ...block(2, '/o'))).toContain('launch.idBlock.svn is 2')
  expect(problems(derived, ...fields, ...block(3, '/o'))).toBe('')
  // Nothing derives a key there.
  expect(problems(...fields)).toBe('')
  expect(problems(...block(0, 'null'))).toBe(
    'launch.idBlock: without launch.ovmf there is no measurement to put into it',
  )
})
