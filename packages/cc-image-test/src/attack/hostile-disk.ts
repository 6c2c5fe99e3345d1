import {chmod, mkdir, truncate, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {run} from 'cc-core/exec'

/**
 * An ext4 as a hostile host would make it: with a setuid shell, units for whoever looks for them, and a journal that
 * does not fit.
 */
export async function hostileFilesystem(folder: string, bytes: number): Promise<{file: string; bytes: number}> {
  const content = join(folder, 'hostile')
  const file = join(folder, 'hostile.ext4')
  await mkdir(join(content, 'etc/systemd/system'), {recursive: true})
  await mkdir(join(content, 'sbin'), {recursive: true})
  await writeFile(join(content, 'sbin/init'), '#!/bin/sh\necho CC-OWNED >/dev/console\nexec /bin/sh\n', {mode: 0o755})
  await writeFile(join(content, 'shell'), '#!/bin/sh\nexec /bin/sh\n')
  await chmod(join(content, 'shell'), 0o4755)
  await writeFile(
    join(content, 'etc/systemd/system/owned.service'),
    '[Service]\nExecStart=/bin/sh -c "echo CC-OWNED >/dev/console"\n',
  )
  await writeFile(file, '')
  await truncate(file, bytes)
  await run(['mkfs.ext4', '-q', '-F', '-d', content, '-L', 'cc-root', file])
  // A count of free blocks and a journal that contradict the rest.
  await run(['debugfs', '-w', '-R', 'set_super_value free_blocks_count 4294967295', file], {check: false})
  await run(['debugfs', '-w', '-R', 'set_super_value journal_inum 3', file], {check: false})
  return {file, bytes}
}
