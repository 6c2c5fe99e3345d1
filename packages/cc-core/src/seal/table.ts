import type {DiskLayout} from '../layout/index.js'

const sector = 512

/**
 * The partition table as an sfdisk script (sfdisk(8), INPUT FORMATS). The last usable sector says how large the disk
 * is: the 33 behind it are the backup of the table.
 */
export function sfdiskScript({diskGuid, diskBytes, partitions}: DiskLayout): string {
  const lines = ['label: gpt', `label-id: ${diskGuid}`, 'first-lba: 2048', `last-lba: ${diskBytes / sector - 34}`, '']
  for (const {name, startBytes, sizeBytes, typeGuid, partGuid} of partitions) {
    lines.push(
      `start=${startBytes / sector}, size=${sizeBytes / sector}, type=${typeGuid}, uuid=${partGuid}, name="${name}"`,
    )
  }
  return lines.join('\n') + '\n'
}
