/** A time as people read it: 0.4 s, 12.3 s, 2 min 05 s. */
export function formatMs(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** A program's line without what could move the cursor, recolour or rename the terminal. */
export function plainText(line: string): string {
  /* eslint-disable no-control-regex */
  return line
    .replaceAll(/\u001b\[[0-?]*[ -/]*[@-~]/g, '')
    .replaceAll(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '')
    .replaceAll('\t', ' ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '')
  /* eslint-enable no-control-regex */
}
