import {execFileSync} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {lock, mkdirp} from '../fs/index.js'
import {openOutput} from '../seal/index.js'
import {planStep, writeTask} from '../steps/index.js'
import {RecordingReporter} from '../ui/index.js'
import {buildTree, findProgress, planTree, workFolders, type TreePlan, type WorkFolders} from './index.js'

let root: string
let folders: WorkFolders
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-stage-'))
  folders = workFolders(root, 'base')
  mkdirp(folders.logs)
})
afterEach(() => {
  // As in a build, files may belong to other ids.
  execFileSync('rm', ['-rf', root])
})

/** A tree whose origin makes one file and whose steps make folders. */
async function plan(...names: string[]): Promise<TreePlan> {
  const origin = writeTask('origin', 'make the tree', async () => {
    mkdirSync(folders.tree)
    writeFileSync(join(folders.tree, 'origin'), '')
  })
  const steps = await Promise.all(
    names.map(async (name) => ({
      ...(await planStep('base/45-partitions', {tree: folders.tree, folder: [`/${name}`]}, {checkpoint: true})),
      id: name,
    })),
  )
  return planTree({tree: folders.tree, origin: [origin], originKey: 'origin', needs: [], steps, workDir: root})
}

async function build(tree: TreePlan): Promise<RecordingReporter> {
  const reporter = new RecordingReporter()
  await buildTree(tree, folders, {reporter, logDir: folders.logs})
  return reporter
}

describe('a tree', () => {
  it('is built step by step, and not again', async () => {
    expect((await build(await plan('a', 'b'))).steps('step-done')).toEqual(['origin', 'a', 'b'])
    expect(existsSync(join(folders.tree, 'b'))).toBe(true)
    const again = await build(await plan('a', 'b'))
    expect(again.steps('step-done')).toEqual([])
    expect(again.steps('step-cached')).toEqual(['origin', 'a', 'b'])
  })

  it('keeps its copies where nobody else may look: they hold files that are secret in the tree', async () => {
    await build(await plan('a'))
    expect(statSync(folders.checkpoints).mode & 0o777).toBe(0o700)
  })

  it('goes on where a change begins, from the tree as it was there', async () => {
    await build(await plan('a', 'b'))
    expect((await build(await plan('a', 'c'))).steps('step-done')).toEqual(['c'])
    expect(existsSync(join(folders.tree, 'b'))).toBe(false)
    expect(existsSync(join(folders.tree, 'a'))).toBe(true)
  })

  it('whose step was interrupted is never continued in the middle', async () => {
    const tree = await plan('a', 'b')
    await build(tree)
    // What a kill in the middle of a step leaves: a changed tree and no key.
    rmSync(join(folders.root, 'tree.key'))
    writeFileSync(join(folders.tree, 'half'), '')
    await build(await plan('a', 'b', 'c'))
    expect(existsSync(join(folders.tree, 'half'))).toBe(false)
    expect(existsSync(join(folders.tree, 'c'))).toBe(true)
  })

  it('begins anew when something that its steps read is gone', async () => {
    const tree = await plan('a', 'b')
    await build(await plan('a'))
    expect((await findProgress({...tree, needs: [join(root, 'iso')]}, folders)).done).toBe(0)
    expect((await findProgress({...tree, needs: [root]}, folders)).done).toBe(2)
  })
})

describe('a lock', () => {
  it('is taken by one of many who ask at once, also where somebody left one behind', async () => {
    const file = join(root, 'lock')
    // Many rounds: two of them once got it in one of several hundred.
    const rounds = Array.from({length: 30}, () => [null, '4194304 1', '']).flat()
    for (const left of rounds) {
      if (left !== null) writeFileSync(file, left)
      const results = await Promise.allSettled(Array.from({length: 20}, () => lock(file)))
      const taken = results.filter((result) => result.status === 'fulfilled')
      expect(taken).toHaveLength(1)
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({code: 'E_LOCKED'})
      await taken[0]?.value()
      expect(readdirSync(root)).toEqual(['base'])
    }
  })

  it('is had by one', async () => {
    const file = join(root, 'lock')
    const unlock = await lock(file)
    await expect(lock(file)).rejects.toMatchObject({code: 'E_LOCKED', exitCode: 3})
    await unlock()
    await (
      await lock(file)
    )()
    expect(existsSync(file)).toBe(false)
  })

  it('of a process that is gone, or whose number another has now, is taken over', async () => {
    const file = join(root, 'lock')
    for (const owner of ['999999999 1', `${process.pid} 1`, '', 'nonsense']) {
      writeFileSync(file, owner)
      await (
        await lock(file)
      )()
    }
  })
})

describe('an output folder', () => {
  it('replaces the one before only when it is whole', async () => {
    const path = join(root, 'image')
    const first = await openOutput(path)
    writeFileSync(join(first.partial, 'version'), '1')
    await first.publish()
    const second = await openOutput(path)
    writeFileSync(join(second.partial, 'version'), '2')
    expect(readFileSync(join(path, 'version'), 'utf8')).toBe('1')
    await second.publish()
    expect(readFileSync(join(path, 'version'), 'utf8')).toBe('2')
  })

  it('comes back when a crash fell between the two renames', async () => {
    const path = join(root, 'image')
    mkdirSync(join(root, '.image.old'))
    writeFileSync(join(root, '.image.old', 'version'), '1')
    await openOutput(path)
    expect(readFileSync(join(path, 'version'), 'utf8')).toBe('1')
  })
})
