import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {beforeAll, describe, expect, it} from 'vitest'

import {boot} from '../lib/boot.js'
import {flareImage} from '../lib/flare.js'
import {flareVenv, projectFile} from '../lib/kits.js'
import {folder, lab, runAsUser} from '../lib/lab.js'
import {giveToUser} from '../lib/user.js'

const hour = 3_600_000
const sites = ['server1', 'site-1']

/** One line for the packager, and one for each site: what an administrator of NVIDIA FLARE changes. */
const packager = (command: string) => `packager:
  path: nvflare.lighter.cc_provision.impl.onprem_packager.OnPremPackager
  args: {build_image_cmd: ${command}}
`
const ccConfig = (role: string) => `compute_env: onprem_cvm
cc_cpu_mechanism: amd_sev_snp
role: ${role}
root_drive_size: 3
applog_drive_size: 1
`

/** `nvflare provision`, without the 100 seconds that it waits after each participant. */
const impatient = 'import sys, time; time.sleep = lambda seconds: None; from nvflare.cli import main; sys.exit(main())'

describe('nvflare provision', () => {
  let root: string
  let production: string
  let said: string
  let taken: number

  beforeAll(async () => {
    const flare = (await flareImage()).image
    root = folder('provisioned')
    const venv = await flareVenv(root)
    mkdirSync(join(root, 'here'))
    writeFileSync(join(root, 'requirements.txt'), 'six==1.17.0\n')
    writeFileSync(join(root, 'here/cc.yaml'), 'hardening: {logs: disk}\n')
    const [server = '', client = ''] = sites
    writeFileSync(join(root, 'server.yml'), ccConfig('server'))
    writeFileSync(join(root, 'client.yml'), ccConfig('client'))
    const of = {[server]: `cc_config: ${join(root, 'server.yml')}`, [client]: `cc_config: ${join(root, 'client.yml')}`}
    const command = join(lab().bin, 'nvflare_cc_hardening_builder')
    writeFileSync(join(root, 'project.yml'), projectFile(server, client, of) + packager(command))
    giveToUser(root)
    const begun = Date.now()
    const argv = [join(venv, 'bin/python3'), '-c', impatient, 'provision', '-p', join(root, 'project.yml')]
    const result = await runAsUser([...argv, '-w', join(root, 'workspace')], {
      timeoutMs: hour,
      cwd: join(root, 'here'),
      env: {
        CC_DEVELOPMENT: '1',
        CC_CONFIG: 'cc.yaml',
        CC_IMAGE: flare,
        CC_OUTPUT: join(root, 'out'),
        CC_REQUIREMENTS: join(root, 'requirements.txt'),
      },
    })
    taken = Date.now() - begun
    said = result.stdout + result.stderr
    if (result.exitCode !== 0) throw new Error(said.slice(-4000))
    production = join(root, 'workspace/e2e/prod_00')
    process.stderr.write(`e2e: provision with images in ${Math.round(taken / 1000)} s\n`)
  }, 2 * hour)

  it('puts a bundle with the image of each site in place of its start-up kit', async () => {
    for (const site of sites) {
      expect(said).toContain(`CVM Bundle ${join(root, 'out', site, `cvm_${site}.tgz`)} is ready`)
      const archive = join(production, site, `${site}.tgz`)
      expect(existsSync(join(production, site, 'startup'))).toBe(false)
      const {stdout} = await runAsUser(['tar', '--list', '--file', archive])
      const names = stdout.trim().split('\n')
      expect(names.filter((name) => !name.startsWith(`cvm_${site}/`))).toEqual([])
      const expected = ['launch_vm.sh', 'README.txt', 'applog.raw', 'manifest.json', 'vmlinuz', 'initrd.img']
      for (const name of [...expected, 'install_cc_image.sh', 'nvflare_cc_image_hardened.qcow2', 'keys/root.key'])
        expect(names, name).toContain(`cvm_${site}/${name}`)
    }
  })

  it(
    'makes bundles whose machines start FLARE with their own kit, and with the log on the disk',
    async () => {
      const place = folder('unpacked')
      const {exitCode, stderr} = await runAsUser([
        ...['tar', '--extract', '--directory', place, '--file', join(production, 'site-1/site-1.tgz')],
      ])
      expect(stderr).toBe('')
      expect(exitCode).toBe(0)
      const bundle = join(place, 'cvm_site-1')
      const print = await runAsUser([join(bundle, 'launch_vm.sh'), '--no-tee', '--accel', 'tcg', '--print'])
      expect(print.stdout, print.stderr).toContain(`${bundle}/applog.raw`)
      const log = join(bundle, 'applog.raw')
      const {console: lines} = await boot(bundle, {
        ...{memory: '2048', timeoutMs: 900_000, until: 'CC-READY {', network: true},
        dataDisks: [{file: log, serial: 'nvflare-log'}],
      })
      const hardened = lines.find((line) => line.includes('CC-HARDENED {')) ?? ''
      expect(hardened, lines.join('\n')).toContain('"site":"site-1"')
      expect(hardened).toContain('"outbound":["tcp/8002"]')
      expect(lines.join('\n')).toContain('CC-READY {')
      expect(readFileSync(log).subarray(0, 4096).toString('latin1')).toMatch(/^\d{4}-/)
    },
    hour,
  )
})
