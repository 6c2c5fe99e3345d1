const units = ['', 'K', 'M', 'G', 'T']

/** Bytes of `512M`, `10G` (powers of 1024) or plain digits; null when it is not a size. */
export function parseSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,16})([KMGT]?)$/.exec(text) ?? []
  if (digits === '') return null
  const bytes = Number(digits) * 1024 ** units.indexOf(unit)
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
