import {execFileSync} from 'node:child_process'
import {appendFileSync, existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {SubprocessError} from 'cc-core/exec'
import {describe, expect, it} from 'vitest'

import {copyImage} from '../lib/boot.js'
import {folder, lab, runAsUser} from '../lib/lab.js'

const install = (image: string, ...args: string[]) => runAsUser([join(image, 'install_cc_image.sh'), ...args])

/** Run a machine as the test user until the guest reports, and return its console. */
async function untilBooted(argv: readonly string[]): Promise<string[]> {
  const console: string[] = []
  const stop = new AbortController()
  try {
    await runAsUser(argv, {
      timeoutMs: 300_000,
      signal: stop.signal,
      onLine: (line) => {
        console.push(line)
        if (line.includes('CC-BOOT {')) stop.abort()
      },
    })
  } catch (error) {
    if (!(error instanceof SubprocessError)) throw error
  }
  return console
}

/** Under TCG beside much other work the timer may come too late for the kernel's test of it; that says nothing of us. */
async function boots(argv: readonly string[]): Promise<string> {
  let console: string[] = []
  for (let attempt = 0; attempt < 3; attempt += 1) {
    console = await untilBooted(argv)
    if (!console.some((line) => line.includes('IO-APIC + timer'))) break
  }
  return console.join('\n')
}

describe('the scripts of an image', {timeout: 1_200_000}, () => {
  it('install a development image only when asked, name what was altered, and launch what was installed', async () => {
    const target = join(folder('installed'), 'image')
    const refused = await install(lab().image, '--to', target)
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('is a development image')])
    expect(existsSync(target)).toBe(false)

    const altered = copyImage('launch-altered')
    appendFileSync(join(altered, 'initrd.img'), 'x')
    const found = await install(altered, '--to', target, '--allow-development')
    expect([found.exitCode, found.stdout]).toEqual([4, expect.stringContaining('altered initrd.img:')])
    expect(existsSync(target)).toBe(false)
    const launched = await runAsUser([join(altered, 'launch_cc_image.sh'), '--no-tee'])
    expect([launched.exitCode, launched.stderr]).toEqual([4, expect.stringContaining('initrd.img was altered')])

    const installed = await install(lab().image, '--to', target, '--allow-development')
    expect(installed.exitCode, installed.stderr).toBe(0)
    expect(readdirSync(join(target, '..'))).toEqual(['image'])
    const options = [
      '--no-tee',
      '--accel',
      'tcg',
      '--network',
      'none',
      '--snapshot',
      '--memory',
      '768M',
      '--vcpus',
      '2',
    ]
    expect(await boots([join(target, 'launch_cc_image.sh'), ...options])).toContain('CC-BOOT {')
  })
})

describe('the disk of an image', {timeout: 1_200_000}, () => {
  it('starts by itself under plain UEFI firmware', async () => {
    const image = lab().image
    const {name} = JSON.parse(execFileSync('cat', [join(image, 'manifest.json')], {encoding: 'utf8'})) as {name: string}
    const drive = (options: string, file: string) => ['-drive', `${options},snapshot=on,file=${file}`]
    const console = await boots([
      ...['qemu-system-x86_64', '-no-user-config', '-nodefaults', '-no-reboot', '-display', 'none', '-machine', 'q35'],
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024', '-nic', 'none', '-serial', 'stdio'],
      ...drive('if=pflash,format=raw', '/usr/share/OVMF/OVMF_CODE_4M.fd'),
      ...drive('if=pflash,format=raw', '/usr/share/OVMF/OVMF_VARS_4M.fd'),
      ...drive('if=virtio,format=qcow2', join(image, `${name}.qcow2`)),
      ...['-fw_cfg', `name=opt/cc/keys/cc-root,file=${join(image, 'keys/root.key')}`],
    ])
    expect(console).toContain('CC-BOOT {')
  })
})
