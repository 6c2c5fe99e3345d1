import {execFileSync, spawnSync} from 'node:child_process'
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {beforeAll, describe, expect, it} from 'vitest'

import {flareImage} from '../lib/flare.js'
import {cc, folder} from '../lib/lab.js'
import {standInKit} from '../lib/kits.js'
import {giveToUser} from '../lib/user.js'

const hour = 3_600_000
const moments = 24
/** In the kits and in the disk keys, and in nothing else. */
const secret = 'what only this site may have'

let work: string
let words: string[]

/** Two sites, each with a kit and a disk key. */
beforeAll(async () => {
  const {image} = await flareImage()
  work = folder('abort')
  writeFileSync(join(work, 'requirements.txt'), 'six==1.17.0\n')
  const sites = ['site-1', 'site-2'].flatMap((site) => {
    const kit = standInKit(join(work, 'kits', site), `# ${secret}\n`)
    const file = join(work, `${site}.yml`)
    writeFileSync(file, [`site: ${site}`, 'role: client', `user_config: {nvflare: ${kit}}`].join('\n'))
    return ['--site', file]
  })
  const key = join(work, 'disk.key')
  writeFileSync(key, secret.padEnd(64, '.'), {mode: 0o600})
  giveToUser(work)
  words = [
    ...['--image', image, '--development', '--requirements', work, '--set', `hardening.mounts.inputKey=${key}`],
    ...[...sites, '--output', join(work, 'build'), '--work-dir', join(work, 'work')],
  ]
}, hour)

/** Whatever is left of a site or of an unencrypted system, in the work folder and in the output folder. */
function left(): string[] {
  const places = ['work', 'build'].map((name) => join(work, name)).filter((path) => existsSync(path))
  const {stdout} = spawnSync('grep', ['-rlaF', '--', secret, ...places], {encoding: 'utf8', maxBuffer: 2 ** 24})
  const stage = join(work, 'work/hardened')
  const folders = existsSync(stage) ? readdirSync(stage) : []
  const secretFolders = folders.filter((name) => /^(site-|scratch|prepared|open|own|unfinished)/.test(name))
  const partial = execFileSync('find', [...places, '-name', '*.partial'], {encoding: 'utf8'})
  return [...stdout.split('\n'), ...secretFolders, ...partial.split('\n')].filter(Boolean)
}

/** The process of the command itself, not those that it has started. */
function commandOf(): number | undefined {
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const text = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return (text[1] ?? '').endsWith('/nvflare_cc_hardening_builder') && text.includes(join(work, 'build'))
    } catch {
      return false
    }
  })
  return pid === undefined ? undefined : Number(pid)
}

const harden = () => cc('nvflare_cc_hardening_builder', words)

/** The same numbers at each run: a failure can be repeated. */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (state * 1103515245 + 12345) % 2 ** 31
    yield state / 2 ** 31
  }
}

describe('several sites', () => {
  it(
    `leave nothing of a kit, a key or an unencrypted system, whichever of ${moments} moments the build is stopped at`,
    async () => {
      const removeImages = () => execFileSync('rm', ['-rf', join(work, 'build')])
      expect((await harden()).exitCode).toBe(0) // From here on the tree is there: what is measured is the sealing.
      removeImages()
      execFileSync('rm', ['-rf', join(work, 'work/hardened/prepared')])
      const lock = join(work, 'work/hardened/lock')
      const started = () => expect.poll(() => existsSync(lock), {timeout: 60_000, interval: 5}).toBe(true)
      const whole = harden()
      await started()
      const begin = Date.now()
      expect((await whole).exitCode).toBe(0)
      const ms = Date.now() - begin
      const random = randoms(20261126)
      const exits: number[] = []
      for (let round = 0; round < moments; round += 1) {
        removeImages()
        execFileSync('rm', ['-rf', join(work, 'work/hardened/prepared')])
        const delay = (random.next().value as number) * ms
        const victim = harden()
        await started()
        await sleep(delay)
        const pid = commandOf()
        if (pid !== undefined) process.kill(pid, round % 2 === 0 ? 'SIGINT' : 'SIGTERM')
        const {exitCode} = await victim
        exits.push(exitCode)
        // A whole run leaves what it shares, for the next site.
        if (exitCode !== 0) expect(left(), `round ${round}, after ${Math.round(delay)} of ${ms} ms`).toEqual([])
      }
      expect(exits.filter((code) => code === 130 || code === 143).length, exits.join(' ')).toBeGreaterThanOrEqual(20)
    },
    hour,
  )

  it(
    'leave something when they are killed, and nothing after the next run',
    async () => {
      execFileSync('rm', ['-rf', join(work, 'build')])
      const victim = harden()
      const disk = join(work, 'build/site-1/.nvflare_cc_image_hardened.partial/nvflare_cc_image_hardened.qcow2')
      await expect.poll(() => existsSync(disk), {timeout: 600_000, interval: 20}).toBe(true)
      const pid = commandOf()
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      await victim.catch(() => undefined)
      expect(left()).not.toEqual([])
      expect((await harden()).exitCode).toBe(0)
      expect(left()).toEqual(['prepared'])
    },
    hour,
  )
})
