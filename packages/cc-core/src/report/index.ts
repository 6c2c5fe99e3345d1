export {formatBytes} from './bytes.js'
export {
  assertChecks,
  countChecks,
  failed,
  passed,
  runChecks,
  skipped,
  verdictOf,
  type Check,
  type CheckResult,
  type CheckStatus,
  type CheckTask,
  type RunChecksOptions,
  type Verdict,
} from './check.js'
export {reportHtml} from './html.js'
export {reportJunit} from './junit.js'
export {reportJson, summaryLine, type Report, type ReportPartition} from './report.js'
export {reportTable} from './table.js'
