import {connect, type Socket} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'

import {z} from 'zod'

import type {DiskUse} from '../judges/disk-use.js'

/** QEMU's own control socket (QMP, docs/interop/qmp-spec.rst of QEMU): what the owner of the host has anyway. */
export interface Monitor {
  execute: (command: string, options?: Record<string, unknown>) => Promise<unknown>
  close: () => void
}

/** @param path the socket that QEMU listens at */
export async function openMonitor(path: string): Promise<Monitor> {
  const socket = await connected(path)
  const waiting: ((answer: unknown) => void)[] = []
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined)
  socket.on('data', (chunk: string) => {
    const lines = `${text}${chunk}`.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines.filter((one) => one.trim() !== '')) {
      const message = JSON.parse(line) as Record<string, unknown>
      if ('return' in message || 'error' in message) waiting.shift()?.(message)
    }
  })
  socket.on('close', () => {
    for (const answer of waiting.splice(0)) answer({error: {desc: 'the machine has ended'}})
  })
  const execute = (command: string, options: Record<string, unknown> = {}) =>
    new Promise<unknown>((resolve) => {
      if (socket.destroyed) {
        resolve({error: {desc: 'the machine has ended'}})
        return
      }
      waiting.push(resolve)
      socket.write(`${JSON.stringify({execute: command, arguments: options})}\n`)
    })
  await execute('qmp_capabilities')
  return {
    execute,
    close: () => {
      socket.destroy()
    },
  }
}

async function connected(path: string): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(path)
    const problem = await new Promise<Error | null>((resolve) => {
      socket.once('connect', () => {
        resolve(null)
      })
      socket.once('error', resolve)
    })
    if (problem === null) return socket
    if (attempt >= 50) throw problem
    await sleep(100)
  }
}

const statsAnswer = z.object({
  return: z.array(
    z.object({
      device: z.string().default(''),
      qdev: z.string().default(''),
      stats: z.object({rd_bytes: z.number(), wr_bytes: z.number()}),
    }),
  ),
})

/**
 * What the machine did to its disks, by the id of the device, or of the drive where the device has none.
 * @returns undefined where the machine has ended
 */
export async function diskUse(monitor: Monitor): Promise<DiskUse[] | undefined> {
  const answer = statsAnswer.safeParse(await monitor.execute('query-blockstats'))
  if (!answer.success) return undefined
  return answer.data.return.map(({device, qdev, stats: {rd_bytes: read, wr_bytes: written}}) => {
    // The path of the device in QEMU: /machine/peripheral/ID/virtio-backend.
    return {id: /\/peripheral\/([^/]+)/.exec(qdev)?.[1] ?? device, read, written}
  })
}

/** Press keys at once, and let them go: the names are those of QEMU, such as ctrl, alt, delete, sysrq, ret. */
export const pressKeys = (monitor: Monitor, ...keys: string[]): Promise<unknown> =>
  monitor.execute('send-key', {keys: keys.map((data) => ({type: 'qcode', data}))})
