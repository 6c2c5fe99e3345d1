import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

const packages = join(import.meta.dirname, '../../..')
const programs = ['cc-image-installer', 'cc-image-test', 'cc-flare-builder', 'cc-hardening-builder', 'cc-resize']

describe('a user id without an entry in /etc/passwd', () => {
  // Nobody else can become such a user.
  it.runIf(process.getuid?.() === 0).each(programs)('can start %s', (name) => {
    const words = ['--reuid', '4242', '--regid', '4242', '--clear-groups', '--', 'env', '-i', process.execPath]
    const program = join(packages, name, 'bin/run.js')
    expect(execFileSync('setpriv', [...words, program, '--help'], {encoding: 'utf8'})).toContain('USAGE')
  })

  it.each(programs)('is looked after by %s before oclif is loaded', (name) => {
    for (const file of ['run.js', 'dev.js']) {
      const [first] = /^import .*$/m.exec(readFileSync(join(packages, name, 'bin', file), 'utf8')) ?? []
      expect(first).toBe("import 'cc-core/start'")
    }
  })
})
