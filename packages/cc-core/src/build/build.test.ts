import {execFileSync, spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {readImageDirectory, type ImageDirectory} from '../manifest/index.js'
import {findAltered, planOpen} from '../seal/index.js'
import {RecordingReporter} from '../ui/index.js'
import {smallBuild, smallFolder} from './fixtures/small-build.js'
import {buildImages, runTasks, showPlan, type BuildPlan, type BuiltImage} from './index.js'

let origin: string
let root: string
const path = (...names: string[]) => join(root, ...names)
beforeAll(async () => {
  origin = mkdtempSync(join(tmpdir(), 'cc-build-origin-'))
  await smallFolder(origin, 'the kit of one site')
})
afterAll(() => {
  rmSync(origin, {recursive: true, force: true})
})
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cc-build-'))
  cpSync(origin, root, {recursive: true, preserveTimestamps: true, verbatimSymlinks: true})
  for (const label of ['a', 'b', 'c']) {
    cpSync(path('kit'), path(`kit-${label}`), {recursive: true})
    writeFileSync(path(`kit-${label}`, 'startup/start.sh'), `the kit of ${label}`)
  }
})
afterEach(() => {
  // As in a build, files may belong to other ids.
  execFileSync('rm', ['-rf', root])
})

const plan = (...labels: string[]) => smallBuild(root, path('work'), path('build'), labels)

async function run(planned: BuildPlan): Promise<{built: BuiltImage[]; reporter: RecordingReporter}> {
  const reporter = new RecordingReporter()
  return {built: await buildImages(planned, {reporter}), reporter}
}
const build = async (...labels: string[]) => run(await plan(...labels))

const describeFileSync = (file: string) => {
  const content = readFileSync(file)
  return {sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length}
}
const fates = (built: readonly BuiltImage[]) =>
  Object.fromEntries(built.map(({label, image, cached, error}) => [label, error?.code ?? (cached ? 'cached' : image && 'made')]))

describe('several images of one build', () => {
  it('share what is made once; each has content, keys and a folder of its own', async () => {
    const {built, reporter} = await build('a', 'b')
    expect(fates(built)).toEqual({a: 'made', b: 'made'})
    const [a, b] = built.map(({image}) => image)
    if (a == null || b == null) throw new Error('not made')
    expect([a.path, b.path]).toEqual([path('build/a/image'), path('build/b/image')])
    expect(readFileSync(a.file('cmdline'))).toEqual(readFileSync(b.file('cmdline')))
    const verity = (image: typeof a, name: string) => image.manifest.partitions.find((one) => one.name === name)?.verity
    expect(verity(a, 'cc-ro')).not.toEqual(verity(b, 'cc-ro'))
    // The tree and its file system are made once.
    const ids = reporter.steps('step-done')
    expect(ids.filter((id) => id === 'origin')).toHaveLength(1)
    expect(ids.filter((id) => id === 'disk/make-squashfs:cc-root')).toHaveLength(1)
    expect(ids.filter((id) => id.startsWith('image/')).sort()).toEqual(['image/a', 'image/b'])
    expect(readdirSync(path('work/small')).filter((name) => /^(own|scratch|open|unfinished|lock)/.test(name))).toEqual([])
  }, 120_000)

  it('are not made again, and one more costs itself alone', async () => {
    await build('a', 'b')
    const times = (label: string) => statSync(path('build', label, 'image/manifest.json')).mtimeMs
    const before = times('a')
    const {built, reporter} = await build('a', 'b', 'c')
    expect(fates(built)).toEqual({a: 'cached', b: 'cached', c: 'made'})
    expect(times('a')).toBe(before)
    expect(reporter.steps('step-done')).not.toContain('disk/make-squashfs:cc-root')
    writeFileSync(path('kit-b/startup/start.sh'), 'another kit')
    expect(fates((await build('a', 'b', 'c')).built)).toEqual({a: 'cached', b: 'made', c: 'cached'})
  }, 120_000)

  it('go on without one that fails; the next run makes only that one', async () => {
    rmSync(path('kit-b/startup'), {recursive: true})
    const {built} = await build('a', 'b', 'c')
    expect(fates(built)).toEqual({a: 'made', b: 'E_CONFIG', c: 'made'})
    expect(built[1]?.error?.message).toContain('is not a start-up kit')
    expect(existsSync(path('build/b/image'))).toBe(false)
    expect(readdirSync(path('build/b'))).toEqual([])
    cpSync(path('kit-a'), path('kit-b'), {recursive: true})
    expect(fates((await build('a', 'b', 'c')).built)).toEqual({a: 'cached', b: 'made', c: 'cached'})
  }, 120_000)

  it('are refused where they would be in the way of each other', async () => {
    await expect(build('a', 'a')).rejects.toMatchObject({code: 'E_CONFIG', message: expect.stringContaining("'a'") as string})
    expect(existsSync(path('work'))).toBe(false)
  })

  it('are shown as commands, and nothing is written', async () => {
    const lines = await showPlan(await plan('a', 'b'))
    const text = lines.join('\n')
    for (const label of ['a', 'b']) {
      expect(text).toContain(`# the image of ${label}`)
      expect(text).toContain(`# rename ${path('build', label, '.image.partial')} to ${path('build', label, 'image')}`)
    }
    expect(lines.filter((line) => line.includes('make-squashfs'))).toHaveLength(1)
    expect(existsSync(path('work'))).toBe(false)
    expect(existsSync(path('build'))).toBe(false)
  })
})

describe('the root that several images share', () => {
  const shared = () => readdirSync(path('build/shared'))
  const images = (built: readonly BuiltImage[]) => built.flatMap(({image}) => image ?? [])
  const below = (image: string) => {
    const info = execFileSync('qemu-img', ['info', '--output', 'json', path('build', image, 'image/image.qcow2')])
    return (JSON.parse(info.toString()) as {'backing-filename'?: string})['backing-filename']
  }

  it('is encrypted once, and their disks lean on it', async () => {
    const {built, reporter} = await build('a', 'b')
    const [file = '', ...more] = shared()
    expect(more).toEqual([])
    expect(reporter.steps('step-done').filter((id) => id.includes('make-shared'))).toHaveLength(1)
    const lines = reporter.events.flatMap((event) => (event.type === 'step-line' ? [`${event.step} ${event.line}`] : []))
    expect(lines).toContain('image/a cc-ro: Write the content of one partition into a qcow2 disk')
    expect(lines).not.toContain('image/a cc-root: Write the content of one partition into a qcow2 disk')
    const facts = describeFileSync(path('build/shared', file))
    for (const image of images(built)) {
      expect(image.manifest.shared).toEqual({name: file, ...facts})
      expect(await findAltered(image, root)).toEqual([])
      expect(readFileSync(image.file('keys/root.key'))).toEqual(readFileSync(path('root.key')))
      // An edit of one image is none of another.
      for (const name of Object.keys(image.manifest.artefacts)) expect(statSync(image.file(name)).nlink).toBe(1)
    }
    expect([below('a'), below('b')]).toEqual([`../../shared/${file}`, `../../shared/${file}`])
    const content = ({manifest}: ImageDirectory, name: string) => manifest.partitions.find((one) => one.name === name)?.content
    const [a, b] = images(built)
    if (a === undefined || b === undefined) throw new Error('not made')
    expect(content(a, 'cc-root')).toEqual(content(b, 'cc-root'))
    expect(content(a, 'cc-ro')).not.toEqual(content(b, 'cc-ro'))
    // One that was made later leans on it, too.
    expect(fates((await build('a', 'b', 'c')).built)).toEqual({a: 'cached', b: 'cached', c: 'made'})
    expect([below('c'), shared()]).toEqual([`../../shared/${file}`, [file]])
    // Moved together, and made self-contained, it is the same image.
    execFileSync('mv', [path('build'), path('elsewhere')])
    const moved = await readImageDirectory(path('elsewhere/b/image'))
    expect(await findAltered(moved, root)).toEqual([])
    const disk = moved.file('image.qcow2')
    execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'qcow2', disk, path('flat')])
    rmSync(path('elsewhere/shared'), {recursive: true})
    await expect(findAltered(moved, root)).rejects.toMatchObject({
      code: 'E_IMAGE',
      message: expect.stringContaining('needs a file that is not there') as string,
    })
    execFileSync('mv', [path('flat'), disk])
    expect(await findAltered(moved, root)).toEqual([])
  }, 180_000)

  it('is opened with the key of a site', async () => {
    const [image] = images((await build('a', 'b')).built)
    if (image === undefined) throw new Error('not made')
    const tree = path('opened')
    const tasks = await planOpen({image, rootKey: image.file('keys/root.key'), tree}, path('open'))
    await runTasks(tasks, {reporter: new RecordingReporter(), logDir: path('logs'), places: [root]})
    expect(readFileSync(join(tree, 'boot/vmlinuz'), 'utf8')).toBe('boot/vmlinuz')
    expect(readFileSync(join(tree, 'opt/cc/ro/kit/startup/start.sh'), 'utf8')).toBe('the kit of a')
  }, 120_000)

  it('is made anew under another name where it was altered or is gone; what was built before stays whole', async () => {
    await build('a', 'b')
    const [file = ''] = shared()
    const bytes = readFileSync(path('build/shared', file))
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5000) ^ 1, bytes.length - 5000)
    writeFileSync(path('build/shared', file), bytes)
    const {built: again} = await build('a', 'b')
    expect(fates(again)).toEqual({a: 'made', b: 'made'})
    expect(shared()).toHaveLength(2)
    for (const image of images(again)) expect(await findAltered(image, root)).toEqual([])
    rmSync(path('build/shared'), {recursive: true})
    const {built} = await build('a', 'b')
    expect(fates(built)).toEqual({a: 'made', b: 'made'})
    for (const image of images(built)) expect(await findAltered(image, root)).toEqual([])
  }, 240_000)

  it('is made anew where its key is gone, and refused where something is in its place', async () => {
    await build('a', 'b')
    const before = shared()
    rmSync(path('work/small/prepared/root.key'))
    expect(fates((await build('a', 'b', 'c')).built)).toEqual({a: 'cached', b: 'cached', c: 'made'})
    expect(shared()).toHaveLength(2)
    expect(shared()).toEqual(expect.arrayContaining(before))
    rmSync(path('build/shared'), {recursive: true})
    writeFileSync(path('build/shared'), 'mine')
    await expect(build('a', 'b')).rejects.toMatchObject({code: 'E_CONFIG'})
    expect(readFileSync(path('build/shared'), 'utf8')).toBe('mine')
    await expect(build('a', 'shared')).rejects.toMatchObject({code: 'E_CONFIG'})
  }, 180_000)

  it('is not for a folder of a site that leads elsewhere', async () => {
    for (const folder of ['build', 'elsewhere']) mkdirSync(path(folder))
    symlinkSync(path('elsewhere'), path('build/a'))
    await expect(build('a', 'b')).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining(`'${path('build/a')}' leads out of`) as string,
    })
    const {built} = await run(await smallBuild(root, path('work'), path('build'), ['a', 'b'], true))
    expect(fates(built)).toEqual({a: 'made', b: 'made'})
  }, 120_000)

  it('is not made for self-contained images', async () => {
    const {built} = await run(await smallBuild(root, path('work'), path('build'), ['a', 'b'], true))
    expect(fates(built)).toEqual({a: 'made', b: 'made'})
    expect(below('a')).toBeUndefined()
    expect(existsSync(path('build/shared'))).toBe(false)
    for (const image of images(built)) expect(image.manifest.shared).toBeUndefined()
  }, 120_000)
})

describe('one image', () => {
  it('is a list of one: sealed at once, and up to date for a run of several', async () => {
    const {built, reporter} = await build('a')
    expect(fates(built)).toEqual({a: 'made'})
    expect(reporter.steps('step-done')).not.toContain('prepare/start')
    expect(fates((await build('a')).built)).toEqual({a: 'cached'})
  }, 120_000)

  it('that fails ends the run with its own error', async () => {
    rmSync(path('kit/startup'), {recursive: true})
    await expect(build('a')).rejects.toMatchObject({code: 'E_CONFIG'})
    expect(readdirSync(path('build'))).toEqual([])
  }, 60_000)
})

describe('a command that builds several images', () => {
  it('says what became of each, by words and as JSON, and fails with the first failure', () => {
    rmSync(path('kit-b/startup'), {recursive: true})
    const script = fileURLToPath(new URL('fixtures/small-build.ts', import.meta.url))
    const command = (...words: string[]) => {
      const all = ['--import', import.meta.resolve('tsx'), script, '--work-dir', 'work', '--output', 'build', ...words]
      const env = {...process.env, SMALL_LABELS: 'a,b'}
      return spawnSync(process.execPath, all, {cwd: root, env, encoding: 'utf8'})
    }
    const {status, stdout, stderr} = command()
    expect(status).toBe(2)
    expect(stdout).toMatch(/^a {2}.*\/build\/a\/image\nb {2}FAILED E_CONFIG: .*is not a start-up kit/m)
    expect(stderr).toMatch(/error\[E_CONFIG\]: 1 of 2 images was not made \(b\): .*\n {2}try: .*\n {2}try: run the same command/)
    const json = JSON.parse(command('--json').stdout) as object
    expect(json).toMatchObject({
      images: [
        {label: 'a', cached: true, image: path('build/a/image')},
        {label: 'b', image: null, error: {code: 'E_CONFIG'}},
      ],
      error: {code: 'E_CONFIG', exitCode: 2},
    })
  }, 120_000)
})
