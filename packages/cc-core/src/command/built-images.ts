import type {BuiltImage} from '../build/index.js'
import {CcError} from '../errors/index.js'

/** What --json says of an image. */
export function imageJson({label, image, cached, error, ms}: BuiltImage): object {
  if (image === null) return {label, image: null, error: {code: error?.code, message: error?.message}, ms}
  const {name, buildKey} = image.manifest
  return {label, image: image.path, name, buildKey, cached, ms}
}

/** One line for each of several images. */
export function summary(built: readonly BuiltImage[]): string[] {
  const width = Math.max(...built.map(({label}) => label.length))
  return built.map(({label, image, cached, error}) => {
    const fate = image === null ? `FAILED ${error?.code ?? ''}: ${error?.message ?? ''}` : image.path
    return `${label.padEnd(width)}  ${fate}${cached ? ' (up to date)' : ''}`
  })
}

/** @throws the first failure of several images, with how many there are */
export function throwFailures(built: readonly BuiltImage[]): void {
  const failed = built.filter(({image}) => image === null)
  const reason = failed[0]?.error
  if (reason == null) return
  const labels = failed.map(({label}) => label).join(', ')
  throw new CcError(
    reason.code,
    `${failed.length} of ${built.length} images ${failed.length === 1 ? 'was' : 'were'} not made (${labels}): ${reason.message}`,
    {
      suggestions: [...reason.suggestions, 'run the same command again: images that are there are not made again'],
      reason,
    },
  )
}
