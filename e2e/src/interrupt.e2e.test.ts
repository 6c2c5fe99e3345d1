import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {describe, expect, it} from 'vitest'

import {cc, folder, lab, runAsUser, errorOf} from '../lib/lab.js'

/** Processes that have a path below a folder among their words, or as their working folder. */
function processesOf(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const cwd = readlinkSync(`/proc/${pid}/cwd`)
        return words.includes(path) || cwd.startsWith(path) ? [`${pid} ${words}`] : []
      } catch {
        return [] // It has ended in the meantime.
      }
    })
    .filter((line) => !line.startsWith(`${process.pid} `))
}

const mountsOf = (path: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path))

/** The same numbers at each run: a failure can be repeated. */
function* randoms(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (state * 1103515245 + 12345) % 2 ** 31
    yield state / 2 ** 31
  }
}

describe('a build that is killed', () => {
  it('leaves nothing behind, ten times, and a rerun finishes', async () => {
    const work = folder('killed')
    const words = ['--iso', lab().iso['debian-12'], '--output', join(work, 'build'), '--work-dir', join(work, 'work')]
    const random = randoms(20261124)
    const moments: number[] = []
    for (let round = 0; round < 10; round += 1) {
      // From before the first step to behind the first checkpoint, and, since each run goes on from there, to the seal.
      const delay = 300 + (random.next().value as number) * 12_000
      moments.push(Math.round(delay))
      const victim = cc('cc-image-installer', words)
      await sleep(delay)
      const pid = processesOf(work)
        .find((line) => line.includes('cc-image-installer'))
        ?.split(' ')[0]
      if (pid !== undefined) process.kill(Number(pid), 'SIGKILL')
      await victim.catch(() => undefined)
      await expect.poll(() => processesOf(work), {timeout: 10_000, message: `after a kill at ${delay} ms`}).toEqual([])
      expect(mountsOf(work)).toEqual([])
      const image = join(work, 'build/confidential_computing_image')
      // Whole or not there at all.
      if (existsSync(image)) expect(readdirSync(image)).toContain('manifest.json')
    }
    const last = await cc('cc-image-installer', [...words, '--json'])
    expect(last.exitCode, `${last.stderr} after kills at ${moments.join(', ')} ms`).toBe(0)
    const image = join(work, 'build/confidential_computing_image')
    const check = await runAsUser(['qemu-img', 'check', join(image, 'confidential_computing_image.qcow2')])
    expect(check.exitCode).toBe(0)
    expect(readdirSync(join(work, 'build'))).toEqual(['confidential_computing_image'])
    expect(readdirSync(join(work, 'work/base'))).not.toContain('lock')
  }, 600_000)
})

/** A small file system of its own needs root to mount. Without it the test is skipped, and says so. */
describe.skipIf(process.getuid?.() !== 0)('a disk that fills up (needs root to mount a small one)', () => {
  it.each([
    ['while packages are installed', '200m'],
    ['while the image is sealed', '1050m'],
  ])('%s: a clear error, and the image of before as it was', async (_, size) => {
    const work = folder(`full-${size}`)
    const small = join(work, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777`, 'tmpfs', small])
    try {
      // An image of before, as far as a user sees it.
      const output = join(small, 'build')
      mkdirSync(join(output, 'confidential_computing_image'), {recursive: true})
      execFileSync('chmod', ['-R', '0777', output])
      const precious = join(output, 'confidential_computing_image', 'precious')
      execFileSync('sh', ['-c', 'echo before >"$1"', 'sh', precious])
      const result = await cc('cc-image-installer', [
        ...['--iso', lab().iso['debian-12'], '--output', output, '--work-dir', join(small, 'work'), '--json'],
      ])
      expect(result.exitCode, result.stdout).toBe(6)
      expect(errorOf(result).code).toBe('E_SPACE')
      expect(readFileSync(precious, 'utf8')).toBe('before\n')
      expect(processesOf(small)).toEqual([])
    } finally {
      execFileSync('umount', ['--lazy', small])
    }
  })
})
