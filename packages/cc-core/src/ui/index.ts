import {LiveReporter} from './live.js'
import {PlainReporter} from './plain.js'
import type {Reporter} from './reporter.js'
import {SilentReporter} from './silent.js'

export {LiveReporter} from './live.js'
export {PlainReporter, type PlainOptions} from './plain.js'
export {reportStep, type ProgressEvent, type Reporter, type StepInfo} from './reporter.js'
export {RecordingReporter, SilentReporter} from './silent.js'
export {formatMs, plainText} from './text.js'

/**
 * The reporter that fits: silent with --json, live on a terminal, plain lines otherwise and with --verbose.
 * Progress belongs on stderr: stdout is for results.
 */
export function createReporter(
  {json = false, verbose = false}: {json?: boolean; verbose?: boolean},
  stream: NodeJS.WriteStream = process.stderr,
): Reporter {
  if (json) return new SilentReporter()
  if (stream.isTTY && !verbose && process.env['TERM'] !== 'dumb') return new LiveReporter(stream)
  return new PlainReporter((text) => stream.write(text), {verbose})
}
