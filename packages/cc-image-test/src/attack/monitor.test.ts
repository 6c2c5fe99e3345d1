import {mkdtempSync, rmSync} from 'node:fs'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import type {BootOptions} from 'cc-core/vm'
import {afterEach, beforeEach, expect, it} from 'vitest'

import {stateOf} from '../judges/guest-state.js'
import type {Bench} from './bench.js'
import type {Machine} from './machine.js'
import {tampered} from './manipulations/tampered.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cc-monitor-'))
})
afterEach(() => {
  rmSync(dir, {recursive: true, force: true})
})

const up = 'CC-BOOT {"version":1}'

/** @param answer what QEMU says of the disks of a machine that is up; undefined: the machine has no such moment */
async function attack(answer?: readonly {device: string; qdev: string; read: number; written: number}[]) {
  const bench = {
    ...{baseline: () => Promise.resolve(stateOf([up])), subject: {image: {manifest: {stage: 'base'}}}},
    ...{
      settings: {lingerMs: 1},
      machine: () => Promise.resolve({folder: dir, devices: [], disks: [{serial: 'cc-disk'}]}),
    },
    boot: async ({monitor}: Machine, {whileUp}: Partial<BootOptions>) => {
      const server = createServer((socket) => {
        socket.on('data', (data) => {
          const asked = data.toString().includes('query-blockstats')
          const stats = answer?.map(({read, written, ...names}) => ({
            ...names,
            stats: {rd_bytes: read, wr_bytes: written},
          }))
          socket.write(`${JSON.stringify({return: asked ? stats : {}})}\n`)
        })
      })
      await new Promise<void>((resolve) => server.listen(monitor, resolve))
      if (answer !== undefined) await whileUp?.(new AbortController().signal)
      server.close()
      return {lines: [up], matched: up, exit: 'running', ms: 1}
    },
  } as unknown as Bench
  const [one] = tampered([
    {
      ...{id: 'a', title: 'a', action: 'a', group: 'devices', because: 'nobody looks', powerless: true},
      untouched: ['evil', 'stick'],
      prepare: ({disks}) => void disks.push({file: '', serial: 'evil', mode: 'read-write'}),
    },
  ])
  return one?.run(bench, () => undefined)
}

const evil = {device: 'disk1', qdev: '/machine/peripheral-anon/device[3]/virtio-backend', read: 40_960, written: 0}
const stick = {device: 'stick', qdev: '/machine/peripheral-anon/device[9]', read: 0, written: 0}

it('counts what a machine does to the disks that it has to leave alone', async () => {
  expect(await attack([evil, stick])).toMatchObject({outcome: 'powerless'})
  expect(await attack([{...evil, read: 288_289}, stick])).toMatchObject({
    outcome: 'NOT DEFENDED',
    detail: 'it read 288289 bytes of evil, more than a partition table',
  })
  expect(await attack([evil, {...stick, written: 512}])).toMatchObject({detail: 'it wrote 512 bytes to stick'})
})

it('takes a disk that was not counted for one that was used', async () => {
  expect(await attack([evil])).toMatchObject({
    outcome: 'NOT DEFENDED',
    detail: 'there is no evidence of what it did to stick',
  })
  expect(await attack()).toMatchObject({outcome: 'NOT DEFENDED'})
})
