import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {Spec, Validation} from '@cyclonedx/cyclonedx-library'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {scriptsDirectory} from '../steps/index.js'
import {componentsOf, cycloneDx, sbomImage, spdx} from './index.js'

const manifest = {
  ...{name: 'cc_image', tool: 'cc-image-installer 0.1.0', buildKey: 'b'.repeat(64), sourceDateEpoch: 1704067200},
  distribution: 'debian-12',
}
const image = sbomImage(manifest)
const dep5 = (license: string) =>
  `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: nobody\nLicense: ${license}\n text of it\n`

let root: string
let software: string
const tree = (...names: string[]) => join(root, 'tree', ...names)
function place(path: string, text: string): void {
  mkdirSync(join(tree(path), '..'), {recursive: true})
  writeFileSync(tree(path), text)
}

/** A tree as dpkg and pip leave it, with what is odd in real ones. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-sbom-'))
  const deb = (name: string, ...lines: string[]) =>
    [
      `Package: ${name}`,
      'Status: install ok installed',
      'Maintainer: A & B <a@b.example>',
      'Architecture: amd64',
      ...lines,
    ].join('\n')
  place(
    'var/lib/dpkg/status',
    [
      deb(
        'libc6',
        'Source: glibc (2.36-9+deb12u1)',
        'Version: 1:2.36-9',
        'Homepage: https://libc.example',
        'Description: C library\n with a second line\n .\n and a third',
      ),
      deb('python3-foo', 'Version: 1.0+dfsg-1~x'),
      'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all',
      deb('odd', 'Version: 1'),
    ].join('\n\n'),
  )
  place('usr/share/doc/libc6/copyright', dep5('LGPL-2.1+ and Expat'))
  place('usr/share/doc/python3-foo/copyright', 'This package was debianized by nobody.')
  // The changelog folder of many packages is a link to that of another one.
  execFileSync('ln', ['-s', 'libc6', tree('usr/share/doc/odd')])
  place('var/lib/dpkg/info/python3-foo.list', '/usr/lib/python3/dist-packages/foo-1.0.dist-info/METADATA\n')
  place('usr/lib/python3/dist-packages/foo-1.0.dist-info/METADATA', 'Name: foo\nVersion: 1.0\n')
  const site = 'opt/nvflare/venv/lib/python3.11/site-packages'
  place(
    `${site}/Foo_Bar-2.0.dist-info/METADATA`,
    'Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 2.0+x\nLicense: Apache 2.0\n\nLong text\n',
  )
  place(
    `${site}/b-1.dist-info/METADATA`,
    `Name: b\nVersion: 1\nLicense: ${'long '.repeat(50)}\nClassifier: License :: OSI Approved :: MIT License\n`,
  )
  place(`${site}/c-1.dist-info/METADATA`, 'Name: c\nVersion: 1\nHome-page: UNKNOWN\nLicense: Something & <else>\n')
  software = execFileSync('python3', ['-I', '-B', join(scriptsDirectory(), 'tree/software.py'), tree()], {
    encoding: 'utf8',
  })
})
afterAll(() => {
  rmSync(root, {recursive: true})
})

const sha256 = 'a'.repeat(64)
const components = () =>
  componentsOf(manifest, software, [JSON.stringify([{name: 'foo-bar', version: '2.0+x', sha256}])])

describe('the software of a tree', () => {
  it('is what dpkg and pip have installed, each once, with licence and hash', () => {
    const found = Object.fromEntries(components().map(({id, ...one}) => [id, one]))
    expect(Object.keys(found)).toEqual([
      ...['deb-libc6-amd64', 'deb-odd-amd64', 'deb-python3-foo-amd64'],
      ...['b-1', 'c-1', 'Foo_Bar-2.0'].map(
        (name) =>
          `pypi-${name === 'Foo_Bar-2.0' ? 'foo-bar' : name.slice(0, 1)}-/opt/nvflare/venv/lib/python3.11/site-packages/${name}.dist-info`,
      ),
      'guest-programs',
    ])
    expect(found['deb-libc6-amd64']).toMatchObject({
      version: '1:2.36-9',
      purl: 'pkg:deb/debian/libc6@1:2.36-9?arch=amd64&distro=debian-12&upstream=glibc%402.36-9%2Bdeb12u1',
      licenses: [{spdx: 'MIT'}, {spdx: 'LGPL-2.1-or-later'}],
      supplier: 'A & B <a@b.example>',
      homepage: 'https://libc.example',
    })
    expect(found['deb-python3-foo-amd64']).toMatchObject({licenses: []})
    const python = Object.values(found).filter(({purl}) => purl.startsWith('pkg:pypi/'))
    expect(python.map(({purl, licenses, sha256: hash}) => [purl, licenses, hash])).toEqual([
      ['pkg:pypi/b@1', [{spdx: 'MIT'}], null],
      ['pkg:pypi/c@1', [{name: 'Something & <else>'}], null],
      ['pkg:pypi/foo-bar@2.0+x', [{spdx: 'Apache-2.0'}], sha256],
    ])
  })

  it('is not read through a link that leads out of the tree', () => {
    const outside = join(root, 'outside')
    writeFileSync(outside, dep5('Secret'))
    mkdirSync(tree('usr/share/doc/python3-foo'), {recursive: true})
    rmSync(tree('usr/share/doc/python3-foo/copyright'))
    execFileSync('ln', ['-s', outside, tree('usr/share/doc/python3-foo/copyright')])
    const again = execFileSync('python3', ['-I', '-B', join(scriptsDirectory(), 'tree/software.py'), tree()], {
      encoding: 'utf8',
    })
    expect(again).not.toContain('Secret')
    // Neither a METADATA that is a link, nor a folder that is one.
    writeFileSync(outside, 'Name: secret\nVersion: 1\n')
    const info = tree('opt/nvflare/venv/lib/python3.11/site-packages/evil-1.dist-info')
    mkdirSync(info)
    execFileSync('ln', ['-s', outside, join(info, 'METADATA')])
    mkdirSync(join(root, 'elsewhere/evil-2.dist-info'), {recursive: true})
    writeFileSync(join(root, 'elsewhere/evil-2.dist-info/METADATA'), 'Name: secret\nVersion: 2\n')
    execFileSync('ln', ['-s', join(root, 'elsewhere'), tree('srv')])
    // One that says nothing is known by the name of its folder.
    place('home/named-3.dist-info/METADATA', 'Metadata-Version: 2.1\n')
    const last = execFileSync('python3', ['-I', '-B', join(scriptsDirectory(), 'tree/software.py'), tree()], {
      encoding: 'utf8',
    })
    expect(last).not.toContain('secret')
    expect(last).toContain('"name": "named"')
  })
})

describe('an SBOM', () => {
  it('is CycloneDX 1.6 by its official schema, and the same of two builds', async () => {
    const text = cycloneDx(image, components())
    expect(cycloneDx(sbomImage(manifest), components())).toBe(text)
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)
    expect(await validator.validate(text)).toBeNull()
    // A validator that accepts anything would prove nothing.
    expect(await validator.validate(text.replace('"library"', '"nothing"'))).not.toBeNull()
    const {metadata, components: listed} = JSON.parse(text) as {metadata: {timestamp: string}; components: object[]}
    expect(metadata.timestamp).toBe('2024-01-01T00:00:00.000Z')
    expect(listed).toHaveLength(components().length)
  })

  it('is SPDX 2.3 by the validator of SPDX, and the same of two builds', () => {
    const text = spdx(image, components())
    expect(spdx(sbomImage(manifest), components())).toBe(text)
    expect(spdxProblems(text)).toBe('')
    expect(spdxProblems(text.replace('SPDXRef-image"', 'wrong id"'))).not.toBe('')
    expect(
      spdxProblems(text.replace('"licenseDeclared": "Apache-2.0"', '"licenseDeclared": "LicenseRef-none"')),
    ).not.toBe('')
  }, 180_000)
})

/** What the library of SPDX finds wrong; nothing where a document is valid. Installed once. */
function spdxProblems(text: string): string {
  const venv = join(tmpdir(), 'cc-spdx-tools-0.8.5')
  if (!existsSync(join(venv, 'complete'))) {
    execFileSync('python3', ['-m', 'venv', venv])
    execFileSync(join(venv, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', 'spdx-tools==0.8.5'])
    writeFileSync(join(venv, 'complete'), '')
  }
  const file = join(root, 'sbom.spdx.json')
  writeFileSync(file, text)
  try {
    execFileSync(join(venv, 'bin/pyspdxtools'), ['-i', file], {stdio: 'pipe'})
    return ''
  } catch (error) {
    const {stderr, stdout} = error as {stderr: Buffer; stdout: Buffer}
    return `${stdout.toString()}${stderr.toString()}`
  } finally {
    readFileSync(file)
  }
}
