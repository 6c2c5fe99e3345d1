import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {readPatches} from './amd.js'

let root: string
let directory: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-amd-'))
  directory = join(root, 'patches')
  mkdirSync(directory)
})
afterEach(() => {
  rmSync(root, {recursive: true})
})

const write = (name: string, text: string) => {
  writeFileSync(join(directory, name), text)
}

function writePackage(name: string): void {
  const folder = join(root, 'package')
  mkdirSync(join(folder, 'DEBIAN'), {recursive: true})
  writeFileSync(
    join(folder, 'DEBIAN/control'),
    'Package: amd-firmware\nVersion: 1.2-3\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: x\n',
  )
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', folder, join(directory, name)], {stdio: 'ignore'})
}

describe('a directory of patches', () => {
  it('is read in lexical order, each entry with its hash, kind and target', async () => {
    write('20-driver.patch', 'Why\nTarget: /usr/src/ccp-1.0\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n')
    write('B.sh', 'true\n')
    write('a.sh', 'true\n')
    writePackage('10-firmware.deb')
    const entries = await readPatches(directory)
    expect(entries.map(({name, kind, target}) => [name, kind, target])).toEqual([
      ['10-firmware.deb', 'package', 'amd-firmware 1.2-3'],
      ['20-driver.patch', 'patch', '/usr/src/ccp-1.0'],
      ['B.sh', 'hook', null],
      ['a.sh', 'hook', null],
    ])
    expect(entries[2]?.sha256).toBe(createHash('sha256').update('true\n').digest('hex'))
    for (const {sha256} of entries) expect(sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it('may be empty', async () => {
    expect(await readPatches(directory)).toEqual([])
  })

  it('that is not there is named', async () => {
    await expect(readPatches('/no/such/patches')).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining("'/no/such/patches'") as string,
    })
  })

  it.each(['README', 'x.patch~', 'kernel.rpm', '.patch.swp', 'deb'])('with %s is refused', async (name) => {
    write(name, '')
    await expect(readPatches(directory)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining(`'${name}'`) as string,
    })
  })

  it('with a link that leads nowhere, or a folder named as a patch, is refused', async () => {
    symlinkSync('/no/such/file', join(directory, 'a.sh'))
    await expect(readPatches(directory)).rejects.toMatchObject({code: 'E_CONFIG'})
    rmSync(join(directory, 'a.sh'))
    mkdirSync(join(directory, 'b.sh'))
    await expect(readPatches(directory)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('it is no file') as string,
    })
  })

  it('with a patch without a target is refused; one behind the first hunk is none', async () => {
    write('a.patch', '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nTarget: /usr/src/x\n')
    await expect(readPatches(directory)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining("no line 'Target: NAME'") as string,
    })
  })

  it('with a package that is none is refused', async () => {
    write('a.deb', 'not an archive')
    await expect(readPatches(directory)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('a.deb') as string,
    })
  })
})
