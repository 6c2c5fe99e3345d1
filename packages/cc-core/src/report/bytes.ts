/** A size as people read it: 512 bytes, 6.7 MiB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024 ** 2) return `${bytes.toLocaleString('en')} bytes`
  return `${(bytes / 1024 ** 2).toLocaleString('en', {maximumFractionDigits: 1})} MiB`
}
