import {mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {atomicWrite, copy, mkdirp, move, remove} from './index.js'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cc fs-'))
})
afterEach(async () => {
  await rm(dir, {recursive: true})
})

describe('file work', () => {
  it('makes, copies, moves and removes; names are never patterns', async () => {
    const source = join(dir, 'a b', 'deep')
    mkdirp(source)
    mkdirp(source)
    await writeFile(join(source, 'f'), 'text')
    await symlink('f', join(source, 'link'))
    copy(join(dir, 'a b'), join(dir, 'copy'))
    expect(await readlink(join(dir, 'copy/deep/link'))).toBe('f')
    move(join(dir, 'copy'), join(dir, 'moved'))
    expect(await readFile(join(dir, 'moved/deep/f'), 'utf8')).toBe('text')
    await writeFile(join(dir, '*'), '')
    remove(join(dir, '*'), join(dir, 'missing'))
    expect(await readdir(dir)).toEqual(['a b', 'moved'])
  })

  it('throws where shelljs only returns a code', () => {
    expect(() => {
      copy(join(dir, 'missing'), dir)
    }).toThrow('missing')
    expect(() => {
      mkdirp('/proc/x/y')
    }).toThrow('/proc/x')
  })
})

describe('atomicWrite', () => {
  it('replaces content and mode, whatever the umask', async () => {
    const file = join(dir, 'f')
    await writeFile(file, 'old')
    const umask = process.umask(0o077)
    await atomicWrite(file, 'new', 0o755)
    process.umask(umask)
    expect(await readFile(file, 'utf8')).toBe('new')
    expect((await stat(file)).mode & 0o777).toBe(0o755)
  })

  it('leaves nothing behind when it fails', async () => {
    mkdirp(join(dir, 'target'))
    await expect(atomicWrite(join(dir, 'target'), 'x')).rejects.toThrow('EISDIR')
    expect(await readdir(dir)).toEqual(['target'])
  })
})
