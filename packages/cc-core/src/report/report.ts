import {countChecks, type Check} from './check.js'

/** A partition as the picture of the disk shows it; bytes. */
export interface ReportPartition {
  name: string
  start: number
  size: number
  mount: string
  /** How it is protected, in a few words. */
  protection: string
  kind: 'encrypted' | 'verified' | 'on-demand' | 'plain'
}

/** Everything that a rendering shows. */
export interface Report {
  /** What was done, for example "cc-image-test base". */
  title: string
  /** What was looked at. */
  subject: string
  /** ISO 8601. */
  started: string
  ms: number
  checks: readonly Check[]
  /** What is known of the subject, in the order in which it is shown. */
  facts: readonly {label: string; value: string}[]
  disk?: {bytes: number; partitions: readonly ReportPartition[]}
}

/** What --json prints. */
export function reportJson(report: Report): object {
  const {title, subject, started, ms, checks, facts} = report
  return {
    checks,
    ...countChecks(checks),
    ...{title, subject, started, ms},
    facts: Object.fromEntries(facts.map(({label, value}) => [label, value])),
    ...(report.disk && {disk: report.disk}),
  }
}

/** One line that says how it went. */
export function summaryLine(checks: readonly Check[]): string {
  const {passed, failed, skipped} = countChecks(checks)
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
