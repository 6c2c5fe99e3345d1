import {mkdir, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {callStep, planStep} from 'cc-core/steps'

/** A partition as the seal makes one, with content and a hash tree of its own. */
export async function verityPartition(folder: string, signal: AbortSignal): Promise<{file: string; bytes: number}> {
  const content = join(folder, 'other')
  const file = join(folder, 'other.data')
  await mkdir(content, {recursive: true})
  await writeFile(join(content, 'readme'), 'an older build\n')
  const filesystem = await planStep('disk/make-filesystem', {
    ...{content, output: file, label: 'cc-ro', without: [], 'read-only': true, 'source-date-epoch': 1},
    ...{uuid: '11111111-2222-4333-8444-555555555555', seed: '11111111-2222-4333-8444-666666666666'},
  })
  await callStep(filesystem, {signal})
  const verity = {data: file, salt: '5'.repeat(64), report: join(folder, 'other.json')}
  await callStep(await planStep('disk/make-verity', verity), {signal})
  return {file, bytes: (await stat(file)).size}
}
