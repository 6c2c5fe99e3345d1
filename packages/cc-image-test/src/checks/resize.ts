import {join} from 'node:path'

import {copy, mkdirp} from 'cc-core/fs'
import {readImageDirectory, type ImageDirectory} from 'cc-core/manifest'
import {formatBytes, skipped, type CheckTask, type Verdict} from 'cc-core/report'
import {growImage, type GrowResult} from 'cc-core/resize'
import {findAltered} from 'cc-core/seal'
import {SilentReporter} from 'cc-core/ui'
import {bootAndWatch, inspectDisk, isBootReport, parseBootReport, type BootReport} from 'cc-core/vm'

import {testMachine, type Boots} from '../image/boots.js'
import type {ImageUnderTest} from '../image/under-test.js'
import {judgeGrowth} from '../judges/boot-report.js'
import {describeExit} from '../judges/console-text.js'
import {judgeAltered} from '../judges/manifest.js'
import {judgeGrownDisk, judgeGrownManifest, judgeUnmoved} from '../judges/resize.js'

const gibibyte = 1024 ** 3
const timeoutMs = 300_000

/** What growing a copy of an image shows. The image itself is not changed. */
export function resizeChecks(subject: ImageUnderTest, boots: Boots): CheckTask[] {
  const {image, scratch, signal} = subject
  const before = image.manifest
  const sizeBytes = before.disk.bytes + 4 * gibibyte
  let growing: Promise<GrowResult> | undefined
  const grown = () => (growing ??= grow())
  let booting: Promise<BootReport> | undefined

  async function grow(): Promise<GrowResult> {
    const path = join(scratch, 'grown')
    mkdirp(path)
    for (const name of [`${before.name}.qcow2`, 'manifest.json', ...Object.keys(before.artefacts)]) {
      copy(image.file(name), join(path, name))
    }
    return growImage({image: path, sizeBytes}, {reporter: new SilentReporter(), signal})
  }
  async function boot({image: copied}: GrowResult): Promise<BootReport> {
    await boots.settled()
    const {accelerator} = await boots.accelerator()
    const disk = copied.file(`${before.name}.qcow2`)
    const key = image.file('keys/root.key')
    const result = await bootAndWatch({
      vm: testMachine({image: copied, disk}, key, {accelerator, memoryMiB: 1024}),
      until: isBootReport,
      ...{timeoutMs, signal},
    })
    if (result.matched === null) throw new Error(describeExit(result))
    return parseBootReport(result.matched)
  }
  const ofBoot = (
    id: string,
    title: string,
    judge: (after: BootReport, image: ImageDirectory) => Verdict,
  ): CheckTask => ({
    id,
    title,
    run: async () => {
      if (boots.impossible !== null) return skipped(boots.impossible)
      const result = await grown()
      return judge(await (booting ??= boot(result)), result.image)
    },
  })
  const partition = (found: ImageDirectory, name: string) => found.manifest.partitions.find((one) => one.name === name)

  return [
    {
      id: 'resize-disk',
      title: `A copy grows by ${formatBytes(4 * gibibyte)}`,
      run: async () => {
        const {image: copied, ms} = await grown()
        const {virtualSize} = await inspectDisk(copied.file(`${before.name}.qcow2`))
        return judgeGrownDisk({virtualSize, ms}, {before: before.disk.bytes, bytes: sizeBytes})
      },
    },
    {
      id: 'resize-manifest',
      title: 'Its manifest says so',
      run: async () => {
        const {manifest} = await readImageDirectory((await grown()).image.path)
        return judgeGrownManifest(manifest.disk, {wanted: sizeBytes})
      },
    },
    {
      id: 'resize-content',
      title: 'The content of every partition is the same, by its hash',
      run: async () => {
        const {image: copied} = await grown()
        const filled = ({partitions}: Pick<typeof before, 'partitions'>) =>
          partitions.filter(({content}) => content !== null).map(({name}) => name)
        const altered = await findAltered(copied, scratch)
        return judgeAltered({checked: filled(copied.manifest), altered}, {names: filled(before)})
      },
    },
    {
      id: 'resize-others',
      title: 'No other partition has moved or grown',
      run: async () => {
        const {manifest} = (await grown()).image
        return judgeUnmoved(manifest, {before: before.partitions})
      },
    },
    ofBoot('resize-filesystem', 'The file system fills its partition after the next boot', (report, copied) => {
      const name = before.partitions.find(({grow: grows}) => grows)?.name ?? ''
      return judgeGrowth(report, {name, size: partition(copied, name)?.size ?? 0})
    }),
  ]
}
