import {join} from 'node:path'

import {expect, it} from 'vitest'

import {folder, lab, runAsUser} from '../lib/lab.js'
import {standIn} from '../lib/tee.js'

const kills = 12

it(
  `content that is encrypted in place is whole after ${kills} losses of power at random moments`,
  {timeout: 3_600_000},
  async () => {
    const work = join(folder('in-place'), 'work')
    const seed = String(Math.floor(Math.random() * 32767))
    const result = await runAsUser(['bash', standIn('in-place-kills.sh'), lab().image, work, String(kills), seed], {
      env: {CC_SCRIPTS: lab().scripts},
      timeoutMs: 3_500_000,
    })
    expect(result.exitCode, `seed ${seed}: ${result.stderr}`).toBe(0)
    const report = JSON.parse(result.stdout) as {whileEncrypting: number; blocksDone: number[]; blocks: number}
    process.stderr.write(`e2e: ${result.stdout}`)
    // A test whose kills all come too early or too late shows nothing.
    expect(report.whileEncrypting).toBeGreaterThan(0)
    expect(report.blocksDone.some((done) => done > 0 && done < report.blocks)).toBe(true)
  },
)
