import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, it} from 'vitest'

import {run} from '../exec/index.js'
import {reportHtml, type Check, type Report} from './index.js'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-browser-'))
})
afterAll(() => {
  rmSync(dir, {recursive: true, force: true})
})

const check = (id: string, more: Partial<Check>): Check => ({
  ...{id, title: `Title of ${id}`, status: 'passed', detail: 'because', ms: 1500},
  ...more,
})
const report: Report = {
  ...{title: 'cc-image-test hardened', subject: '/srv/image', started: '2026-11-24T03:21:23.456Z', ms: 70_000},
  checks: [
    check('files', {group: 'Files of the image'}),
    check('root-first', {group: 'Bytes of the disk', action: 'writes 16 bytes', outcome: 'detected'}),
    check('root-middle', {group: 'Bytes of the disk', action: 'writes <b>more</b>', status: 'failed'}),
  ],
  facts: [{label: 'Image', value: 'hardened'}],
  disk: {
    bytes: 1000,
    partitions: [
      {name: 'cc-ro', start: 0, size: 10, mount: '/ro', protection: 'dm-verity', kind: 'verified'},
      {name: 'cc-root', start: 100, size: 800, mount: '/', protection: 'LUKS2 + dm-verity', kind: 'encrypted'},
    ],
  },
}

/** Chromium without a window. Its own sandbox asks for what a container or root has not; the page is ours. */
const browser = (words: string[]) =>
  run(
    ['chromium', '--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${join(dir, 'profile')}`, ...words],
    {
      ...{collect: true, timeoutMs: 120_000, env: {HOME: dir}},
    },
  )

it('is a page that a browser understands: sections, rows, and the picture of the disk to scale', async () => {
  const page = join(dir, 'report.html')
  writeFileSync(page, reportHtml(report))
  const {stdout: dom} = await browser(['--dump-dom', `file://${page}`])
  // What the browser made of it, not what we wrote: it closes and moves what is not as it should be.
  expect(dom.match(/<section/g)).toHaveLength(4)
  expect(dom.match(/<tbody>/g)).toHaveLength(2)
  expect(dom).toMatch(/<tr id="root-middle">.*&lt;b&gt;more&lt;\/b&gt;/)
  expect(dom).toContain('<rect class="encrypted" x="100" width="799" height="28"></rect>')
  expect(dom.match(/<li class="(verified|encrypted)"/g)).toHaveLength(2)
  expect(dom).not.toContain('<script')
}, 150_000)

it('is a picture of a sane size, in which things are drawn', async () => {
  const [page, picture] = [join(dir, 'shot.html'), join(dir, 'shot.png')]
  writeFileSync(page, reportHtml(report))
  await browser(['--hide-scrollbars', '--window-size=1280,1000', `--screenshot=${picture}`, `file://${page}`])
  const png = readFileSync(picture)
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1280, 1000])
  // An empty page of this size takes about 5 kB.
  expect(png.length).toBeGreaterThan(30_000)
}, 150_000)
