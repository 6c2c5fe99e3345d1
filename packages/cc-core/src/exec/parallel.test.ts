import {availableParallelism} from 'node:os'
import {setTimeout as sleep} from 'node:timers/promises'

import {expect, it} from 'vitest'

import {inParallel} from './index.js'

it('keeps the order, and begins as many at a time as there are processors', async () => {
  let [running, most] = [0, 0]
  const results = await inParallel([5, 1, 3, 2, 4, 6], async (number) => {
    most = Math.max(most, ++running)
    await sleep(number * 5)
    running--
    return number * 2
  })
  expect(results).toEqual([10, 2, 6, 4, 8, 12])
  expect(most).toBe(Math.min(availableParallelism(), 6))
})

it('after a failure begins nothing new, and waits for what was begun', async () => {
  const [begun, ended]: [number[], number[]] = [[], []]
  const many = Array.from({length: availableParallelism() + 5}, (_, index) => index)
  const work = async (number: number) => {
    begun.push(number)
    await sleep(number === 0 ? 5 : 50)
    ended.push(number)
    if (number === 0) throw new Error('the first')
    throw new Error('a later one')
  }
  await expect(inParallel(many, work)).rejects.toThrow('the first')
  expect(begun).toHaveLength(availableParallelism())
  expect(ended).toHaveLength(begun.length)
})

it('does nothing for nothing', async () => {
  expect(await inParallel([], () => Promise.reject(new Error('called')))).toEqual([])
})
