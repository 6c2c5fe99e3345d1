import {execFileSync} from 'node:child_process'
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

import {folder, lab} from './lab.js'

/**
 * Let a copy of an image believe that it runs on SEV-SNP: an archive behind its initrd makes /dev/sev-guest, which is
 * /dev/null. A measured launch would not start such an initrd; the product has no switch for this.
 */
export function pretendSnp(image: string): void {
  const work = folder(`snp-${image.split('/').at(-2) ?? ''}`)
  const script = readFileSync(join(lab().scripts, 'guest/initramfs/scripts/cc'), 'utf8')
  mkdirSync(join(work, 'scripts'))
  writeFileSync(join(work, 'scripts/cc'), `mknod /dev/sev-guest c 1 3\n${script}`)
  const initrd = join(image, 'initrd.img')
  // The kernel unpacks archives one behind the other, each at a multiple of 4 bytes.
  execFileSync('bash', [
    '-c',
    'truncate -s %512 "$2" && cd "$1" && find scripts | cpio --quiet -o -H newc >>"$2"',
    '-',
    work,
    initrd,
  ])
}

/**
 * The stand-in of kbs-client as the build accepts it: a program for the processor, made of the script. What it says when it
 * is looked at is in the script.
 */
export function standInClient(): string {
  const output = join(folder('stand-in-kbs-client'), 'kbs-client')
  const maker = join(import.meta.dirname, '../../scripts/test/program.py')
  execFileSync('python3', [maker, output], {input: readFileSync(join(import.meta.dirname, '../keys/files/kbs-client'))})
  return output
}

/** A file of e2e/keys/files as the test user may read it. */
export function standIn(name: string): string {
  const copy = join(folder(`stand-in-${name}`), name)
  copyFileSync(join(import.meta.dirname, '../keys/files', name), copy)
  execFileSync('chmod', ['755', copy])
  return copy
}
