import {execFileSync} from 'node:child_process'
import {cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {smallFolder} from './fixtures/small-build.js'

const repository = fileURLToPath(new URL('../../../..', import.meta.url))

let root: string
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'cc-identity-'))
  // A copy of the library and of the steps, as npm would install them.
  cpSync(join(repository, 'packages/cc-core/src'), join(root, 'cc-core/src'), {recursive: true})
  cpSync(join(repository, 'packages/cc-core/package.json'), join(root, 'cc-core/package.json'))
  symlinkSync(join(repository, 'packages/cc-core/node_modules'), join(root, 'cc-core/node_modules'))
  cpSync(join(repository, 'scripts'), join(root, 'node_modules/cc-scripts'), {recursive: true})
  const modules = join(repository, 'node_modules')
  for (const name of readdirSync(modules).filter((name) => name !== 'cc-scripts'))
    symlinkSync(join(modules, name), join(root, 'node_modules', name))
  mkdirSync(join(root, 'bin'))
  await smallFolder(root, 'marker')
})
afterEach(() => {
  rmSync(root, {recursive: true, force: true})
})

/** Whether a build finds its image up to date. */
function isCached(): boolean {
  const script = join(root, 'cc-core/src/build/fixtures/small-build.ts')
  const output = execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), script, '--json'], {
    cwd: root,
    env: {...process.env, PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`},
    encoding: 'utf8',
  })
  return (JSON.parse(output) as {cached: boolean}).cached
}

function change(file: string, old: string, by: string): void {
  const text = readFileSync(join(root, file), 'utf8')
  expect(text, file).toContain(old)
  writeFileSync(join(root, file), text.replace(old, by))
}

describe('an image is up to date', () => {
  it('until the library, a step, or a program that writes it changes', () => {
    expect(isCached()).toBe(false)
    expect(isCached()).toBe(true)
    change('cc-core/src/boot/boot-conf.ts', "'version=1'", "'version=2'")
    expect(isCached(), 'the writer of boot.conf').toBe(false)
    // Of a group that no step of the tree is from.
    change('node_modules/cc-scripts/tree/list-packages.sh', '# Network: no', '# Network: no, none')
    expect(isCached(), 'a step').toBe(false)
    const program = 'case $1 in -V) echo mke2fs 9.9 >&2 ;; *) exec /usr/sbin/mkfs.ext4 "$@" ;; esac'
    writeFileSync(join(root, 'bin/mkfs.ext4'), `#!/bin/sh\n${program}\n`, {mode: 0o755})
    expect(isCached(), 'mkfs.ext4').toBe(false)
  }, 300_000)
})
