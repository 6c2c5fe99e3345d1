import {writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {boot} from '../lib/boot.js'
import {makeIso} from '../lib/iso.js'
import {standInKit} from '../lib/kits.js'
import {buildOf, folder} from '../lib/lab.js'
import {npxOf} from '../lib/npx.js'
import {aliases, packages} from '../lib/packages.js'
import {publish, startRegistry, type Registry} from '../lib/registry.js'
import {giveToUser} from '../lib/user.js'

const hour = 3_600_000
/** What the start-up kit says when it is started. */
const started = 'CC-TEST the application runs'

let registry: Registry
let npx: ReturnType<typeof npxOf>
/** The one folder that all three stages are run in, with a requirements.txt and a start-up kit. */
let work: string

beforeAll(async () => {
  registry = await startRegistry(join(folder('stages-registry'), 'registry'))
  await publish(registry, [...packages, ...aliases])
  npx = npxOf(registry, 'stages-home')
  work = folder('stages')
  writeFileSync(join(work, 'requirements.txt'), 'six==1.17.0\n')
  standInKit(join(work, 'kit'), `echo ${started}\n`)
  giveToUser(work)
}, hour)

afterAll(() => registry.stop())

const build = async (...words: string[]) => buildOf(await npx([...words, '--json'], work)).image

// Each stage goes on from the image that the one before it left in ./build.
describe('with nothing but a registry', {timeout: hour}, () => {
  it('npx cc-image-installer builds the base image', async () => {
    const image = await build('cc-image-installer', '--iso', makeIso('bookworm'))
    expect(image).toBe(join(work, 'build/confidential_computing_image'))
  })

  it('npx nvflare-cc-builder adds NVIDIA FLARE', async () => {
    expect(await build('nvflare-cc-builder', '--size', '20G')).toBe(join(work, 'build/nvflare_cc_image'))
  })

  it('npx nvflare_cc_hardening_builder plans and builds the hardened image, and it boots', async () => {
    const options = ['--development', '--role', 'client', '--startup-kit', 'kit', '--set', 'hardening.logs=console']
    const words = ['nvflare_cc_hardening_builder', ...options]
    const plan = await npx([...words, '--dry-run'], work)
    expect(plan.exitCode, plan.stderr).toBe(0)
    expect(plan.stdout).toContain('/node_modules/cc-scripts/hardening/')

    const image = await build(...words)
    const {console: lines, ended} = await boot(image, {memory: '2048', timeoutMs: hour / 2, until: started})
    expect(ended, lines.join('\n')).toBe('came-up')
    expect(lines.join('\n')).toContain('CC-HARDENED {')
  })
})
