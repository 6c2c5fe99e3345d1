const units = ['', 'K', 'M', 'G', 'T']

/**
 * Bytes of `512M`, `10G`, `10GB`, `10 GiB`, `10g`, or plain digits; null when it is not a size. All units are powers of
 * 1024, GB too: disks and memory come in such steps, and a size that is a little larger than meant does no harm.
 */
export function parseSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,16})(?: ?([KMGT])(?:i?B)?| ?B)?$/i.exec(text) ?? []
  if (digits === '') return null
  const bytes = Number(digits) * 1024 ** units.indexOf(unit.toUpperCase())
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : null
}

/** The shortest text that parseSize reads back as the same number. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value}${units[unit] ?? ''}`
}
